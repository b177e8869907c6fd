using System.Diagnostics;
using InferenceServer.Core.Requests;

namespace InferenceServer.Engine.Scheduling;

/// <summary>The one way out: every choice of every request ends here, whatever the reason. Owned by the engine thread.</summary>
internal sealed class RequestEnder(SequenceSet set, IEngineObserver? observer)
{
    /// <summary>Ends a choice and tells its reader; the last one ends the request. Does nothing to a finished one.</summary>
    public void FinishChoice(Sequence sequence, FinishReason reason, long now, string? error = null)
    {
        if (sequence.Status == SequenceStatus.Finished) return;
        Sequence ending = HandOver(sequence);
        RequestState request = ending.Request;
        set.Finish(ending);
        ending.FinishReason = reason;
        request.ChoicesLive--;
        request.Stream.Write(new TokenEvent
        {
            Kind = TokenEventKind.ChoiceFinished,
            Choice = ending.Choice,
            FinishReason = reason,
            Timestamp = now,
            Error = error,
        });
        if (request.ChoicesLive == 0) FinishRequest(request, now);
    }

    public void FinishAll(RequestState request, FinishReason reason, long now, string? error = null)
    {
        for (int choice = 0; choice < request.Sequences.Length; choice++) FinishChoice(request.Sequences[choice], reason, now, error);
    }

    /// <summary>Before the fork, the sequence that computes the prompt goes on for another choice when its own ends.</summary>
    private static Sequence HandOver(Sequence sequence)
    {
        RequestState request = sequence.Request;
        if (request.Forked || !ReferenceEquals(sequence, request.Leader) || request.ChoicesLive == 1) return sequence;
        foreach (Sequence other in request.Sequences)
        {
            if (other.Status != SequenceStatus.Pending) continue;
            sequence.SwapChoice(other);
            return other;
        }

        throw new UnreachableException("A request with several live choices and no fork has a pending one.");
    }

    private void FinishRequest(RequestState request, long now)
    {
        RequestSummary summary = request.Summary;
        foreach (Sequence sequence in request.Sequences)
        {
            summary.CompletionTokens += sequence.CompletionTokens;
            // The enum is ordered by how much a reader should worry: one failed choice makes a failed request.
            if (sequence.FinishReason > summary.FinishReason) summary.FinishReason = sequence.FinishReason;
        }

        summary.FinishedTimestamp = now;
        set.Depart(request);
        request.MarkFinished();
        observer?.RequestFinished(summary);
        request.Stream.Write(new TokenEvent
        {
            Kind = TokenEventKind.Finished,
            FinishReason = summary.FinishReason,
            Timestamp = now,
            Summary = summary,
        });
        request.Stream.Complete();
    }
}
