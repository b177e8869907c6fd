using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Blocks;

namespace InferenceServer.Engine.Scheduling;

internal enum SequenceStatus
{
    /// <summary>In the waiting queue: new, or preempted.</summary>
    Waiting,

    /// <summary>Its request's first sequence computes the prompt for it; it will be forked.</summary>
    Pending,

    /// <summary>In the running set.</summary>
    Running,

    Finished,
}

/// <summary>
/// One choice of a request: known tokens, of which some are computed. A step closes the gap. Owned by the engine thread.
/// </summary>
internal sealed class Sequence
{
    private const int FirstCompletionCapacity = 512; // most answers fit; longer ones double

    private readonly int[] _prompt; // shared by all choices
    private int[] _completion;

    public Sequence(RequestState request, int choice, SamplingState sampling, int blockCapacity)
    {
        Request = request;
        Choice = choice;
        Sampling = sampling;
        _prompt = request.Request.PromptTokens;
        _completion = new int[Math.Min(request.MaxTokens, FirstCompletionCapacity)];
        Table = new int[blockCapacity];
    }

    public RequestState Request { get; }

    public int Choice { get; private set; }

    public SamplingState Sampling { get; private set; }

    public SequenceStatus Status { get; set; }

    public FinishReason FinishReason { get; set; }

    /// <summary>Was running before: resumes ahead of new requests of its priority.</summary>
    public bool Preempted { get; set; }

    public int CompletionTokens { get; private set; }

    public int KnownTokens => _prompt.Length + CompletionTokens;

    /// <summary>Tokens whose keys and values are stored.</summary>
    public int ComputedTokens { get; set; }

    public int Gap => KnownTokens - ComputedTokens;

    /// <summary>(blocks) Physical block of each logical one; full ones never change place.</summary>
    public int[] Table { get; }

    public int TableCount { get; set; }

    /// <summary>Full blocks already offered to the prefix cache.</summary>
    public int PublishedBlocks { get; set; }

    /// <summary>The prefix cache's entry of the last published block.</summary>
    public long PrefixEntry { get; set; } = PrefixIndex.Root;

    /// <summary>Free blocks when its admission last failed: looked up again when there are more.</summary>
    public int BlocksFreeAtRefusal { get; set; } = -1;

    /// <summary>When its last token was emitted; 0 before the first.</summary>
    public long LastTokenTimestamp { get; set; }

    public int TokenAt(int position) =>
        position < _prompt.Length ? _prompt[position] : _completion[position - _prompt.Length];

    /// <param name="start">Position of the first token to copy.</param>
    /// <param name="destination">Filled whole; its last token is known.</param>
    public void CopyTokens(int start, Span<int> destination)
    {
        int fromPrompt = Math.Clamp(_prompt.Length - start, 0, destination.Length);
        if (fromPrompt > 0) _prompt.AsSpan(start, fromPrompt).CopyTo(destination);
        if (fromPrompt == destination.Length) return;
        _completion.AsSpan(start + fromPrompt - _prompt.Length, destination.Length - fromPrompt).CopyTo(destination[fromPrompt..]);
    }

    public void Append(int token)
    {
        if (CompletionTokens == _completion.Length) Array.Resize(ref _completion, Math.Min(_completion.Length * 2, Request.MaxTokens));
        _completion[CompletionTokens++] = token;
        Sampling.Accept(token);
    }

    /// <summary>
    /// Exchanges which choice each stands for. Before the fork, the sequence that computes the prompt can so outlive its own choice.
    /// </summary>
    public void SwapChoice(Sequence other)
    {
        Debug.Assert(ReferenceEquals(Request, other.Request) && CompletionTokens == 0 && other.CompletionTokens == 0, "Only before the first token.");
        (Choice, other.Choice) = (other.Choice, Choice);
        (Sampling, other.Sampling) = (other.Sampling, Sampling);
        Request.Sequences[Choice] = this;
        Request.Sequences[other.Choice] = other;
    }

    /// <summary>Rank in the running set: priority, then arrival, then choice. The last one is preempted first.</summary>
    public static int CompareRank(Sequence left, Sequence right)
    {
        int order = left.Request.Request.Priority.CompareTo(right.Request.Request.Priority);
        if (order == 0) order = left.Request.ArrivalOrder.CompareTo(right.Request.ArrivalOrder);
        return order != 0 ? order : left.Choice.CompareTo(right.Choice);
    }
}
