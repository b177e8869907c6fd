using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// One step from its planning to its results: what the runner reads, and whose it is. Allocated once and refilled.
/// Owned by the engine thread; untouched from launch until awaited.
/// </summary>
internal sealed class StepInFlight(int maxTokens, int maxSequences, int maxRows)
{
    public StepPlan Plan { get; } = new(maxTokens, maxSequences, maxRows);

    /// <summary>(plan's sequences)</summary>
    public Sequence[] Planned { get; } = new Sequence[maxSequences];

    /// <summary>(plan's rows) Whose answer each row is: forks' first rows belong to choices without an own part in the step.</summary>
    public Sequence[] RowOwners { get; } = new Sequence[maxRows];

    /// <summary>Sequences that take one token: decodes, and at times the last token of a prompt.</summary>
    public int Decodes
    {
        get
        {
            int decodes = 0;
            for (int i = 0; i < Plan.SequenceCount; i++) decodes += Plan.Sequences[i].TokenCount == 1 ? 1 : 0;
            return decodes;
        }
    }

    /// <summary>When its planning began.</summary>
    public long PlannedTimestamp { get; set; }
}
