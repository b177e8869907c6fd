using System.Diagnostics.CodeAnalysis;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>
/// A runner that takes nothing on trust: a wrong block, a missing copy, a stale cache hit, two writers of one slot, a plan that changed
/// in flight or a token fed back from the wrong row throw, which the engine reports as a fault. A step is carried out as late as can be,
/// when it is awaited, and after all that were launched before it.
/// </summary>
internal sealed class FakeRunner(RunnerLimits limits, int failOneIn = 0) : IModelRunner
{
    private readonly FakeKvPool _kv = new(limits.BlockCount, limits.BlockSize);
    private readonly LaunchedStep[] _steps = [.. Enumerable.Range(0, limits.MaxStepsInFlight + 1).Select(_ => new LaunchedStep(limits))]; // and the last one awaited
    private long _launched;
    private long _awaited;
    private bool _threw;

    public RunnerLimits Limits { get; } = limits;

    public int StepsInFlight => (int)(_launched - _awaited);

    public long Copies { get; private set; }

    public long Tokens { get; private set; }

    public int LargestBatch { get; private set; }

    /// <summary>Steps launched while another was in flight.</summary>
    public long StepsOverlapped { get; private set; }

    public long TokensFedBack { get; private set; }

    /// <summary>A device that threw is left alone.</summary>
    public int CallsAfterFault { get; private set; }

    /// <summary>Throws from this step's Launch or Await.</summary>
    public long ThrowsInLaunchOfStep { get; set; } = -1;

    public long ThrowsInAwaitOfStep { get; set; } = -1;

    /// <summary>Runs on the engine's thread in the middle of each step.</summary>
    public Action? BeforeAwait { get; set; }

    /// <summary>Off for timing: the checks cost more than the engine.</summary>
    public bool Verifies { get; init; } = true;

    public void Launch(StepPlan plan)
    {
        if (_threw) CallsAfterFault++;
        if (plan.StepIndex == ThrowsInLaunchOfStep) Throw("the device is gone");
        Require(StepsInFlight < Limits.MaxStepsInFlight, "No more steps in flight than the runner takes.");
        if (StepsInFlight > 0)
        {
            StepsOverlapped++;
            Require(FeedsBack(StepAt(_launched - 1).Plan), "Only a step whose every row feeds back is followed before it was read.");
        }

        Tokens += plan.TokenCount;
        LargestBatch = Math.Max(LargestBatch, plan.SequenceCount);
        if (Verifies)
        {
            CheckShape(plan);
            for (int i = 0; i < plan.TokenCount; i++) CheckInput(plan, i);
        }

        StepAt(_launched++).Take(plan, deep: Verifies);
    }

    public void Await(StepResult result)
    {
        if (_threw) CallsAfterFault++;
        Require(StepsInFlight > 0, "Only what was launched is awaited.");
        BeforeAwait?.Invoke();
        LaunchedStep step = StepAt(_awaited), before = StepAt(_awaited + _steps.Length - 1);
        _awaited++;
        if (step.Plan.StepIndex == ThrowsInAwaitOfStep) Throw("the kernel timed out");
        if (Verifies)
        {
            Require(step.IsUntouched(), "A plan stays as it was launched until it was awaited.");
            Copies += step.Plan.CopyCount;
            _kv.Copy(step.Plan.Copies.AsSpan(0, step.Plan.CopyCount));
            for (int i = 0; i < step.Plan.SequenceCount; i++) Store(step, before, in step.Plan.Sequences[i]);
        }

        for (int i = 0; i < step.Plan.RowCount; i++) Answer(step, i, ref result.Rows[i]);
    }

    /// <summary>Rows with a frequency penalty are sampled by the host, when the step is awaited; all others by the device. Only asked of Sample rows.</summary>
    public bool CanFeedBack(in LogitsRow row)
    {
        Require(row.Kind == LogitsRowKind.Sample, "A score chooses nothing.");
        return row.Sampling.Parameters.FrequencyPenalty == 0;
    }

    public void Dispose()
    {
    }

    public static void Require([DoesNotReturnIf(false)] bool holds, string rule)
    {
        if (!holds) throw new InvalidOperationException($"Broken rule: {rule}");
    }

    private LaunchedStep StepAt(long launch) => _steps[launch % _steps.Length];

    private bool FeedsBack(StepPlan plan)
    {
        for (int row = 0; row < plan.RowCount; row++)
        {
            if (plan.Rows[row].Kind != LogitsRowKind.Sample || !CanFeedBack(in plan.Rows[row])) return false;
        }

        return true;
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
            for (int token = 0; token < part.TokenCount; token++, next++)
            {
                int position = part.ComputedTokens + token;
                Require(plan.Positions[next] == position && plan.TokenSequences[next] == i, "Positions follow on.");
                Require(plan.Slots[next] == _kv.SlotOf(part.BlockTable, position), "The slot is where the block table says.");
            }
        }

        Require(next == plan.TokenCount, "Every token belongs to a sequence.");
        for (int row = 0; row < plan.RowCount; row++) CheckRow(plan, in plan.Rows[row]);
    }

    private void CheckRow(StepPlan plan, in LogitsRow row)
    {
        StepSequence part = plan.Sequences[row.Sequence];
        Require(row.Token >= part.FirstToken && row.Token < part.FirstToken + part.TokenCount, "A row belongs to a token of its sequence.");
        Require(row.Position == plan.Positions[row.Token] + 1, "A row is about the next position.");
        Require(row.PendingTokens == (plan.TokenIds[row.Token] < 0 ? 1 : 0), "A choice whose last token nobody has read has one pending.");
    }

    private void CheckInput(StepPlan plan, int at)
    {
        int token = plan.TokenIds[at];
        if (token >= 0)
        {
            Require(token < Limits.VocabularySize, "Ids within the vocabulary.");
            return;
        }

        Require(StepsInFlight > 0, "Tokens feed back from a step in flight.");
        StepPlan before = StepAt(_launched - 1).Plan;
        Require(~token < before.RowCount, "Only a row of the step before feeds back.");
        Require(before.Rows[~token].Position == plan.Positions[at], "A token feeds back to the position that it was chosen for.");
        TokensFedBack++;
    }

    private void Store(LaunchedStep step, LaunchedStep before, in StepSequence part)
    {
        ulong history = _kv.ReadHistory(part.BlockTable, part.ComputedTokens - 1);
        for (int at = part.FirstToken; at < part.FirstToken + part.TokenCount; at++)
        {
            ref int token = ref step.Plan.TokenIds[at];
            if (token < 0)
            {
                Require(before.Histories[~token] == history, "A token feeds back to the sequence that it was chosen for.");
                token = before.Chosen[~token];
            }

            _kv.Store(step.Plan.Slots[at], step.Plan.Positions[at], history, token, step.Plan.StepIndex);
            history = FakeModel.Extend(history, token);
        }
    }

    private void Answer(LaunchedStep step, int index, ref SampleResult result)
    {
        ref readonly LogitsRow row = ref step.Plan.Rows[index];
        StepSequence part = step.Plan.Sequences[row.Sequence];
        ulong history = Verifies ? _kv.ReadHistory(part.BlockTable, step.Plan.Positions[row.Token]) : (ulong)row.Position;
        bool scores = row.Kind == LogitsRowKind.Score;
        result.Failed = FakeModel.Fails(history, scores ? 0 : row.Sampling.Seed, scores ? failOneIn * 10 : failOneIn);
        result.Token = scores ? row.TargetToken : FakeModel.Choose(history, DrawOf(step, index), Limits.VocabularySize);
        result.Logprob = FakeModel.Score(history, result.Token);
        result.TopCount = scores ? row.Sampling.Parameters.PromptLogprobs!.Value : row.Sampling.Parameters.TopLogprobs;
        for (int i = 0; i < result.TopCount; i++)
            result.Top[i] = new TokenLogprob(i, FakeModel.Score(history, i));
        (step.Histories[index], step.Chosen[index]) = (history, result.Token);
    }

    /// <summary>
    /// The device knows what stood in <see cref="SamplingState"/> at launch, and the token that was pending then, which is this row's own input.
    /// The host samples after every older step was read: it finds nothing pending.
    /// </summary>
    private FakeDraw DrawOf(LaunchedStep step, int index)
    {
        ref readonly LogitsRow row = ref step.Plan.Rows[index];
        SamplingState sampling = row.Sampling;
        if (row.Sampling.Parameters.FrequencyPenalty != 0) return Draw(in row, sampling.GeneratedTokens, FakeModel.Penalties(sampling.Counts));
        Dictionary<int, int>? counts = step.Counts[index];
        ulong penalties = row.PendingTokens == 0 ? FakeModel.Penalties(counts) : FakeModel.Penalties(counts, step.Plan.TokenIds[row.Token]);
        return Draw(in row, step.Generated[index], penalties);
    }

    private static FakeDraw Draw(in LogitsRow row, int generated, ulong penalties) =>
        new(row.Sampling.Seed, row.Position, generated, penalties, row.Sampling.Parameters.MinTokens, row.Sampling.StopTokens);

    [DoesNotReturn]
    private void Throw(string message)
    {
        _threw = true;
        throw new InvalidOperationException(message);
    }
}
