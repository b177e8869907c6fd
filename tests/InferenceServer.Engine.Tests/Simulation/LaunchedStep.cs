using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>
/// A step on the fake device: a copy of the plan, taken at launch as a device takes one, and what its rows chose, for the next step
/// to feed on. The caller's own plan is compared with the copy when the step is awaited.
/// </summary>
internal sealed class LaunchedStep(RunnerLimits limits)
{
    private StepPlan _original = null!;

    public StepPlan Plan { get; } = new(limits.MaxTokensPerStep, limits.MaxSequencesPerStep, limits.MaxRowsPerStep);

    /// <summary>(rows) As the device got it at launch: tokens that nobody had read are counted in.</summary>
    public int[] Generated { get; } = new int[limits.MaxRowsPerStep];

    /// <summary>(rows) Counts of penalised tokens at launch, without the one that nobody had read; null without penalties.</summary>
    public Dictionary<int, int>?[] Counts { get; } = new Dictionary<int, int>?[limits.MaxRowsPerStep];

    /// <summary>(rows) The history that each row chose after.</summary>
    public ulong[] Histories { get; } = new ulong[limits.MaxRowsPerStep];

    /// <summary>(rows) What each row chose.</summary>
    public int[] Chosen { get; } = new int[limits.MaxRowsPerStep];

    /// <param name="plan">The caller's.</param>
    /// <param name="deep">Block tables and counts too; off for timing, because it allocates.</param>
    public void Take(StepPlan plan, bool deep)
    {
        _original = plan;
        (Plan.StepIndex, Plan.TokenCount, Plan.SequenceCount, Plan.RowCount, Plan.CopyCount) =
            (plan.StepIndex, plan.TokenCount, plan.SequenceCount, plan.RowCount, plan.CopyCount);
        plan.TokenIds.AsSpan(0, plan.TokenCount).CopyTo(Plan.TokenIds);
        plan.Positions.AsSpan(0, plan.TokenCount).CopyTo(Plan.Positions);
        plan.TokenSequences.AsSpan(0, plan.TokenCount).CopyTo(Plan.TokenSequences);
        plan.Slots.AsSpan(0, plan.TokenCount).CopyTo(Plan.Slots);
        plan.Rows.AsSpan(0, plan.RowCount).CopyTo(Plan.Rows);
        plan.Copies.AsSpan(0, plan.CopyCount).CopyTo(Plan.Copies);
        plan.Sequences.AsSpan(0, plan.SequenceCount).CopyTo(Plan.Sequences);
        for (int i = 0; deep && i < plan.SequenceCount; i++)
            Plan.Sequences[i].BlockTable = plan.Sequences[i].BlockTable.AsSpan(0, plan.Sequences[i].BlockCount).ToArray();
        for (int row = 0; row < plan.RowCount; row++)
        {
            SamplingState sampling = plan.Rows[row].Sampling;
            Generated[row] = sampling.GeneratedTokens + plan.Rows[row].PendingTokens;
            Counts[row] = deep && sampling.Counts is { } counts ? new Dictionary<int, int>(counts) : null;
        }
    }

    public bool IsUntouched()
    {
        StepPlan now = _original;
        return (now.StepIndex, now.TokenCount, now.SequenceCount, now.RowCount, now.CopyCount)
                == (Plan.StepIndex, Plan.TokenCount, Plan.SequenceCount, Plan.RowCount, Plan.CopyCount)
            && now.TokenIds.AsSpan(0, now.TokenCount).SequenceEqual(Plan.TokenIds.AsSpan(0, now.TokenCount))
            && now.Positions.AsSpan(0, now.TokenCount).SequenceEqual(Plan.Positions.AsSpan(0, now.TokenCount))
            && now.TokenSequences.AsSpan(0, now.TokenCount).SequenceEqual(Plan.TokenSequences.AsSpan(0, now.TokenCount))
            && now.Slots.AsSpan(0, now.TokenCount).SequenceEqual(Plan.Slots.AsSpan(0, now.TokenCount))
            && now.Copies.AsSpan(0, now.CopyCount).SequenceEqual(Plan.Copies.AsSpan(0, now.CopyCount))
            && Enumerable.Range(0, now.SequenceCount).All(i => AreEqual(now.Sequences[i], Plan.Sequences[i]))
            && Enumerable.Range(0, now.RowCount).All(i => AreEqual(now.Rows[i], Plan.Rows[i]));
    }

    private static bool AreEqual(in StepSequence left, in StepSequence right) =>
        (left.FirstToken, left.TokenCount, left.ComputedTokens, left.BlockCount) == (right.FirstToken, right.TokenCount, right.ComputedTokens, right.BlockCount)
        && left.BlockTable.AsSpan(0, left.BlockCount).SequenceEqual(right.BlockTable);

    private static bool AreEqual(in LogitsRow left, in LogitsRow right) =>
        (left.Token, left.Sequence, left.Kind, left.TargetToken, left.Position, left.PendingTokens)
            == (right.Token, right.Sequence, right.Kind, right.TargetToken, right.Position, right.PendingTokens)
        && ReferenceEquals(left.Sampling, right.Sampling);
}
