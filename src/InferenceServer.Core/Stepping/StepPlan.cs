namespace InferenceServer.Core.Stepping;

/// <summary>
/// One step's work as flat arrays, laid out so that a device can take them in one copy. Allocated once and refilled:
/// written by the engine thread before Launch, read-only until Await returns.
/// </summary>
public sealed class StepPlan(int maxTokens, int maxSequences, int maxRows)
{
    /// <summary>Counts from 1; names the step in faults.</summary>
    public long StepIndex { get; set; }

    public int TokenCount { get; set; }

    public int SequenceCount { get; set; }

    public int RowCount { get; set; }

    public int CopyCount { get; set; }

    /// <summary>
    /// (tokens) Tokens of one sequence are adjacent and in order. ~r, a negative number, is whatever row r of the step before chooses:
    /// see <see cref="IModelRunner.CanFeedBack"/>.
    /// </summary>
    public int[] TokenIds { get; } = new int[maxTokens];

    /// <summary>(tokens) Position in its sequence, from 0.</summary>
    public int[] Positions { get; } = new int[maxTokens];

    /// <summary>(tokens) Index into <see cref="Sequences"/>.</summary>
    public int[] TokenSequences { get; } = new int[maxTokens];

    /// <summary>(tokens) Where its key and value go: block * blockSize + offset.</summary>
    public int[] Slots { get; } = new int[maxTokens];

    public StepSequence[] Sequences { get; } = new StepSequence[maxSequences];

    /// <summary>(rows) Which tokens' logits are wanted and what for.</summary>
    public LogitsRow[] Rows { get; } = new LogitsRow[maxRows];

    /// <summary>Whole blocks to copy before anything else: forks that are about to write (copy-on-write).</summary>
    public BlockCopy[] Copies { get; } = new BlockCopy[maxSequences];
}

/// <summary>One sequence's part of a step.</summary>
public struct StepSequence
{
    /// <summary>Index of its first token in the plan.</summary>
    public int FirstToken;

    public int TokenCount;

    /// <summary>Tokens whose keys and values are already stored: the position of its first token here.</summary>
    public int ComputedTokens;

    /// <summary>(blocks) Physical block of each logical one. Shared with the scheduler; only the first BlockCount entries count.</summary>
    public int[] BlockTable;

    public int BlockCount;
}

/// <summary>Copy all layers' keys and values of one block to another.</summary>
public readonly record struct BlockCopy(int Source, int Destination);

public enum LogitsRowKind
{
    /// <summary>Choose the next token.</summary>
    Sample,

    /// <summary>Report the log-probability of <see cref="LogitsRow.TargetToken"/> (prompt log-probabilities).</summary>
    Score,
}

/// <summary>Logits wanted after one token of the step.</summary>
public struct LogitsRow
{
    /// <summary>Index of the token in the plan whose logits these are.</summary>
    public int Token;

    /// <summary>Index into the plan's sequences.</summary>
    public int Sequence;

    public LogitsRowKind Kind;

    /// <summary>Kind Score: whose log-probability.</summary>
    public int TargetToken;

    /// <summary>Position that the chosen token will have: keys the random numbers.</summary>
    public int Position;

    /// <summary>
    /// Tokens of this row's choice that were chosen by a step not yet awaited, 0 or 1. At launch <see cref="Sampling"/> does not know them:
    /// it then counts one token less than there is. Whoever samples when this step is awaited finds nothing pending, for older steps were read.
    /// </summary>
    public int PendingTokens;

    /// <summary>How to choose. Without steps in flight it is read-only from Launch to Await; with them Accept may be called in between.</summary>
    public SamplingState Sampling;
}
