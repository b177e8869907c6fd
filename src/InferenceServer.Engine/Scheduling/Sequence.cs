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
    private readonly int _computable; // the last token of a completion is chosen, but never computed
    private int[] _completion;

    public Sequence(RequestState request, int choice, SamplingState sampling, int blockCapacity)
    {
        Request = request;
        Choice = choice;
        Sampling = sampling;
        _prompt = request.Request.PromptTokens;
        _computable = _prompt.Length + Math.Max(request.MaxTokens - 1, 0);
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

    /// <summary>Chosen by steps that were launched and not yet awaited: they come after the known ones, but nobody has read them.</summary>
    public int PendingTokens { get; private set; }

    /// <summary>
    /// Tokens whose keys and values every later step finds stored: steps run in the order of their launch, so a token counts from its launch on.
    /// </summary>
    public int ComputedTokens { get; set; }

    /// <summary>Tokens to compute until the next one can be chosen; 0 once all that it may have are chosen.</summary>
    public int Gap => Math.Min(KnownTokens + PendingTokens, _computable) - ComputedTokens;

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

    /// <summary>Row of the newest pending token in its step.</summary>
    public int PendingRow { get; private set; }

    public int TokenAt(int position) =>
        position < _prompt.Length ? _prompt[position] : _completion[position - _prompt.Length];

    /// <summary>A plan's input: a known token, or ~r for the choice of row r of the step in flight.</summary>
    public int InputAt(int position)
    {
        if (position < KnownTokens) return TokenAt(position);
        Debug.Assert(PendingTokens == 1 && position == KnownTokens, "Of tokens that nobody has read, only the newest step's can be an input.");
        return ~PendingRow;
    }

    /// <param name="start">Position of the first token to copy.</param>
    /// <param name="destination">Filled whole; its last token is known.</param>
    public void CopyTokens(int start, Span<int> destination)
    {
        int fromPrompt = Math.Clamp(_prompt.Length - start, 0, destination.Length);
        if (fromPrompt > 0) _prompt.AsSpan(start, fromPrompt).CopyTo(destination);
        if (fromPrompt == destination.Length) return;
        _completion.AsSpan(start + fromPrompt - _prompt.Length, destination.Length - fromPrompt).CopyTo(destination[fromPrompt..]);
    }

    /// <summary>A step that will choose its next token was launched.</summary>
    /// <param name="row">Of that step.</param>
    public void Expect(int row)
    {
        PendingTokens++;
        PendingRow = row;
    }

    /// <summary>The oldest pending token was read.</summary>
    public void Append(int token)
    {
        Debug.Assert(PendingTokens > 0, "A token is expected before it comes.");
        PendingTokens--;
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
