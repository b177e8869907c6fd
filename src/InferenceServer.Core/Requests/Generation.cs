using System.Threading.Channels;

namespace InferenceServer.Core.Requests;

/// <summary>
/// The caller's end of an accepted request. Thread-safe. Whoever holds one reads <see cref="Events"/> to its end
/// or calls <see cref="Cancel"/>; both free the request's blocks within one step.
/// </summary>
public abstract class Generation
{
    public abstract string RequestId { get; }

    /// <summary>Single reader. Completes after the Finished event; never faults.</summary>
    public abstract ChannelReader<TokenEvent> Events { get; }

    /// <summary>Ends every choice with reason Cancelled. Does nothing once finished.</summary>
    public abstract void Cancel();

    /// <summary>Ends one choice with reason Stop: its text reached a stop string that the engine cannot see.</summary>
    public abstract void StopChoice(int choice);
}

/// <summary>Accepted or rejected: exactly one of the two is set.</summary>
public readonly record struct Submission(Generation? Generation, RequestRejected? Rejection);
