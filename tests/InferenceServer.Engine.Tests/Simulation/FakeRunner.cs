using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>
/// A runner whose KV pool remembers, slot by slot, which history was stored there. Whatever a step claims is checked against it:
/// a wrong block, a missing copy, a stale cache hit or two writers of one slot throw, which the engine reports as a fault.
/// </summary>
internal sealed class FakeRunner(RunnerLimits limits, int failOneIn = 0) : IModelRunner
{
    private readonly ulong[] _histories = new ulong[limits.BlockCount * limits.BlockSize]; // (slots)
    private readonly int[] _positions = Filled(limits.BlockCount * limits.BlockSize, -1); // (slots)
    private readonly long[] _writtenInStep = new long[limits.BlockCount * limits.BlockSize]; // (slots)
    private StepPlan? _launched;

    public RunnerLimits Limits { get; } = limits;

    public long Copies { get; private set; }

    public long Tokens { get; private set; }

    public int LargestBatch { get; private set; }

    /// <summary>Throws from this step's Launch or Await.</summary>
    public long ThrowsInLaunchOfStep { get; set; } = -1;

    public long ThrowsInAwaitOfStep { get; set; } = -1;

    /// <summary>Runs on the engine's thread in the middle of each step.</summary>
    public Action? BeforeAwait { get; set; }

    /// <summary>Off for timing: the checks cost more than the engine.</summary>
    public bool Verifies { get; init; } = true;

    public void Launch(StepPlan plan)
    {
        if (plan.StepIndex == ThrowsInLaunchOfStep) throw new InvalidOperationException("the device is gone");
        Require(_launched is null, "One step at a time.");
        _launched = plan;
        Tokens += plan.TokenCount;
        LargestBatch = Math.Max(LargestBatch, plan.SequenceCount);
        if (!Verifies) return;
        CheckShape(plan);
        Copy(plan);
        for (int i = 0; i < plan.SequenceCount; i++) Store(plan, i);
    }

    public void Await(StepResult result)
    {
        StepPlan plan = _launched!;
        _launched = null;
        BeforeAwait?.Invoke();
        if (plan.StepIndex == ThrowsInAwaitOfStep) throw new InvalidOperationException("the kernel timed out");
        for (int i = 0; i < plan.RowCount; i++) Answer(plan, in plan.Rows[i], ref result.Rows[i]);
    }

    public void Dispose()
    {
    }

    private void CheckShape(StepPlan plan)
    {
        Require(plan.SequenceCount > 0 && plan.SequenceCount <= Limits.MaxSequencesPerStep, "Sequences within the limit.");
        Require(plan.TokenCount > 0 && plan.TokenCount <= Limits.MaxTokensPerStep, "Tokens within the limit.");
        Require(plan.RowCount <= Limits.MaxRowsPerStep, "Rows within the limit.");
        int next = 0;
        for (int i = 0; i < plan.SequenceCount; i++)
        {
            StepSequence part = plan.Sequences[i];
            Require(part.FirstToken == next && part.TokenCount > 0, "Sequences are adjacent and not empty.");
            Require(part.ComputedTokens + part.TokenCount <= Limits.ContextLength, "Within the context.");
            Require(part.BlockCount == (part.ComputedTokens + part.TokenCount + Limits.BlockSize - 1) / Limits.BlockSize, "A block for each token and none spare.");
            next += part.TokenCount;
        }

        Require(next == plan.TokenCount, "Every token belongs to a sequence.");
    }

    /// <summary>In any order: no block is both source and destination.</summary>
    private void Copy(StepPlan plan)
    {
        HashSet<int> destinations = [];
        for (int i = 0; i < plan.CopyCount; i++) Require(destinations.Add(plan.Copies[i].Destination), "One copy a destination.");
        for (int i = plan.CopyCount - 1; i >= 0; i--)
        {
            (int source, int destination) = plan.Copies[i];
            Require(!destinations.Contains(source), "No copy reads what another writes.");
            int size = Limits.BlockSize;
            _histories.AsSpan(source * size, size).CopyTo(_histories.AsSpan(destination * size, size));
            _positions.AsSpan(source * size, size).CopyTo(_positions.AsSpan(destination * size, size));
            Copies++;
        }
    }

    private void Store(StepPlan plan, int index)
    {
        StepSequence part = plan.Sequences[index];
        for (int i = 0; i < part.TokenCount; i++)
        {
            int at = part.FirstToken + i;
            int position = part.ComputedTokens + i;
            int slot = SlotOf(in part, position);
            Require(plan.Positions[at] == position && plan.TokenSequences[at] == index, "Positions follow on.");
            Require(plan.Slots[at] == slot, "The slot is where the block table says.");
            Require(_writtenInStep[slot] != plan.StepIndex, "One writer a slot.");
            Require((uint)plan.TokenIds[at] < (uint)Limits.VocabularySize, "Ids within the vocabulary.");
            _writtenInStep[slot] = plan.StepIndex;
            _histories[slot] = FakeModel.Extend(HistoryAt(in part, position - 1), plan.TokenIds[at]);
            _positions[slot] = position;
        }
    }

    private void Answer(StepPlan plan, in LogitsRow row, ref SampleResult result)
    {
        StepSequence part = plan.Sequences[row.Sequence];
        int position = part.ComputedTokens + row.Token - part.FirstToken;
        Require(row.Token >= part.FirstToken && row.Token < part.FirstToken + part.TokenCount, "A row belongs to a token of its sequence.");
        Require(row.Position == position + 1, "A row is about the next position.");
        ulong history = Verifies ? CheckedHistory(in part, position) : (ulong)position;
        ulong seed = row.Sampling.Seed;
        bool scores = row.Kind == LogitsRowKind.Score;
        result.Failed = FakeModel.Fails(history, scores ? 0 : seed, scores ? failOneIn * 10 : failOneIn);
        result.Token = scores ? row.TargetToken : FakeModel.Choose(history, seed, row.Position, row.Sampling.GeneratedTokens, Limits.VocabularySize);
        result.Logprob = FakeModel.Score(history, result.Token);
        result.TopCount = scores ? row.Sampling.Parameters.PromptLogprobs!.Value : row.Sampling.Parameters.TopLogprobs;
        for (int i = 0; i < result.TopCount; i++)
            result.Top[i] = new TokenLogprob(i, FakeModel.Score(history, i));
    }

    /// <summary>Walks a whole history back through the block table: every slot must hold its own position and follow from the one before.</summary>
    private ulong CheckedHistory(in StepSequence part, int last)
    {
        for (int position = 0; position <= last; position++) _ = HistoryAt(in part, position);
        return HistoryAt(in part, last);
    }

    private ulong HistoryAt(in StepSequence part, int position)
    {
        if (position < 0) return FakeModel.EmptyHistory;
        int slot = SlotOf(in part, position);
        Require(_positions[slot] == position, "The slot holds the position that the table claims.");
        return _histories[slot];
    }

    private int SlotOf(in StepSequence part, int position) =>
        part.BlockTable[position / Limits.BlockSize] * Limits.BlockSize + position % Limits.BlockSize;

    private static int[] Filled(int length, int value)
    {
        int[] array = new int[length];
        Array.Fill(array, value);
        return array;
    }

    private static void Require(bool holds, string rule)
    {
        if (!holds) throw new InvalidOperationException($"Broken rule: {rule}");
    }
}
