using System.Diagnostics;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// Fills a step from one token budget. There are no phases: a sequence has computed and known tokens, and a step closes the gap.
/// Running sequences come first, in rank order; gaps of one (decodes) have their token reserved before longer gaps (chunks of prompts)
/// share what is left, or what <see cref="PromptShare"/> grants them beside decodes; waiting sequences are admitted only when nothing was preempted. Chunked prefill is Agrawal et al., "Sarathi-Serve" (OSDI 2024).
/// </summary>
/// <remarks>
/// Preemption takes from the end of the rank order, and planning goes from its start, so what is planned is never taken back,
/// and the first in rank always makes progress. Owned by the engine thread; allocates nothing.
/// </remarks>
internal sealed class Scheduler(SequenceSet set, int tokensPerStep, int rowsPerStep, PromptShare share)
{
    private int _tokensLeft; // for gaps longer than one
    private int _rowsLeft;

    /// <summary>
    /// Whether blocks suffice for whatever the running sequences can do next. If not, somebody may have to go, and that is decided
    /// when every token is read: the end that makes room may be in flight.
    /// </summary>
    public bool CanPlanWithoutPreemption()
    {
        int blocksLacking = 0;
        foreach (Sequence sequence in set.Running) blocksLacking += set.BlocksLacking(sequence, Math.Min(sequence.Gap, tokensPerStep));
        return blocksLacking <= set.Pool.FreeCount;
    }

    /// <summary>Refills a step. It stays empty when all that lives waits for the results of steps in flight.</summary>
    /// <param name="step">Not in flight.</param>
    /// <param name="stepIndex">From 1.</param>
    /// <param name="now">On the engine's clock.</param>
    public void Plan(StepInFlight step, long stepIndex, long now)
    {
        StepPlan plan = step.Plan;
        plan.StepIndex = stepIndex;
        plan.TokenCount = plan.SequenceCount = plan.RowCount = plan.CopyCount = 0;
        step.PlannedTimestamp = now;
        ReserveDecodes();
        long preemptions = set.Counters.Preemptions;
        for (int i = 0; i < set.Running.Count; i++)
        {
            Sequence sequence = set.Running[i];
            int tokens = TakeTokens(sequence);
            if (tokens > 0 && set.TryReserve(sequence, tokens, plan)) Add(step, sequence, tokens);
        }

        if (set.Counters.Preemptions == preemptions) Admit(step);
    }

    private void ReserveDecodes()
    {
        _tokensLeft = tokensPerStep;
        _rowsLeft = rowsPerStep;
        int decodes = 0, prompts = Math.Min(set.Waiting.Count, set.Seats - set.SeatsTaken);
        foreach (Sequence sequence in set.Running)
        {
            if (sequence.Gap > 1) prompts++;
            if (sequence.Gap != 1) continue;
            decodes++;
            _tokensLeft--;
            _rowsLeft -= SampleRows(sequence);
        }

        _tokensLeft = share.Limit(decodes, prompts, _tokensLeft);

        Debug.Assert(_tokensLeft >= 0 && _rowsLeft >= 0, "A token and a row for every seat.");
    }

    private void Admit(StepInFlight step)
    {
        int blocksPromised = 0;
        foreach (Sequence sequence in set.Running) blocksPromised += Math.Max(0, BlocksLacking(sequence));
        while (_tokensLeft > 0 && set.Waiting.Peek() is { } sequence && set.TryAdmit(sequence, blocksPromised))
        {
            // One of gap one takes from the shared budget too: nothing was reserved for it.
            int tokens = TakeChunk(sequence);
            if (tokens > 0 && set.TryReserve(sequence, tokens, step.Plan)) Add(step, sequence, tokens);
            blocksPromised += Math.Max(0, BlocksLacking(sequence));
        }
    }

    private int BlocksLacking(Sequence sequence) => set.Pool.BlocksFor(sequence.ComputedTokens + sequence.Gap) - sequence.TableCount;

    /// <summary>0 and 1 are taken as they are: their end is in flight, or their token and row are reserved.</summary>
    private int TakeTokens(Sequence sequence) => sequence.Gap <= 1 ? sequence.Gap : TakeChunk(sequence);

    /// <summary>As much of the gap as tokens and rows allow, possibly nothing.</summary>
    private int TakeChunk(Sequence sequence)
    {
        int tokens = Math.Min(sequence.Gap, _tokensLeft);
        if (tokens == sequence.Gap && ScoreRows(sequence, tokens) + SampleRows(sequence) > _rowsLeft) tokens--;
        int scores = ScoreRows(sequence, tokens);
        if (scores > _rowsLeft)
        {
            tokens -= scores - _rowsLeft; // scores sit at the end of a chunk, one a token
            scores = _rowsLeft;
        }

        _tokensLeft -= tokens;
        _rowsLeft -= scores + (tokens == sequence.Gap ? SampleRows(sequence) : 0);
        return tokens;
    }

    /// <summary>Rows wanted when the last known token is computed: one, or one a choice that shares the prompt.</summary>
    private static int SampleRows(Sequence sequence)
    {
        RequestState request = sequence.Request;
        if (request.MaxTokens == 0) return 0;
        return request.Forked ? 1 : request.ChoicesLive;
    }

    /// <summary>Prompt tokens among the next ones whose successor's log-probability is still wanted.</summary>
    private static int ScoreRows(Sequence sequence, int tokens)
    {
        RequestState request = sequence.Request;
        if (request.PromptScores is null) return 0;
        int first = Math.Max(sequence.ComputedTokens, request.PromptTokensScored);
        int end = Math.Min(sequence.ComputedTokens + tokens, request.PromptTokens - 1);
        return Math.Max(0, end - first);
    }

    private void Add(StepInFlight step, Sequence sequence, int tokens)
    {
        if (sequence.Request.Summary.ScheduledTimestamp == 0) sequence.Request.Summary.ScheduledTimestamp = step.PlannedTimestamp;
        StepPlan plan = step.Plan;
        int index = plan.SequenceCount++;
        step.Planned[index] = sequence;
        ref StepSequence part = ref plan.Sequences[index];
        part.FirstToken = plan.TokenCount;
        part.TokenCount = tokens;
        part.ComputedTokens = sequence.ComputedTokens;
        part.BlockTable = sequence.Table;
        part.BlockCount = sequence.TableCount;
        AddTokens(plan, sequence, tokens, index);
        AddScoreRows(step, sequence, tokens, index);
        if (tokens == sequence.Gap) AddSampleRows(step, sequence, index);
    }

    private void AddTokens(StepPlan plan, Sequence sequence, int tokens, int index)
    {
        int blockSize = set.Pool.BlockSize;
        int position = sequence.ComputedTokens;
        int at = plan.TokenCount;
        for (int end = at + tokens; at < end; at++, position++)
        {
            plan.TokenIds[at] = sequence.InputAt(position);
            plan.Positions[at] = position;
            plan.TokenSequences[at] = index;
            plan.Slots[at] = sequence.Table[position / blockSize] * blockSize + position % blockSize;
        }

        plan.TokenCount = at;
    }

    private static void AddScoreRows(StepInFlight step, Sequence sequence, int tokens, int index)
    {
        int firstToken = step.Plan.Sequences[index].FirstToken;
        int scores = ScoreRows(sequence, tokens);
        int first = Math.Max(sequence.ComputedTokens, sequence.Request.PromptTokensScored);
        for (int position = first; position < first + scores; position++)
        {
            AddRow(step, sequence, new LogitsRow
            {
                Token = firstToken + position - sequence.ComputedTokens,
                Sequence = index,
                Kind = LogitsRowKind.Score,
                TargetToken = sequence.TokenAt(position + 1),
                Position = position + 1,
                Sampling = sequence.Sampling,
            });
        }
    }

    private static void AddSampleRows(StepInFlight step, Sequence sequence, int index)
    {
        RequestState request = sequence.Request;
        if (request.MaxTokens == 0) return;
        LogitsRow row = new()
        {
            Token = step.Plan.TokenCount - 1,
            Sequence = index,
            Kind = LogitsRowKind.Sample,
            Position = sequence.KnownTokens + sequence.PendingTokens,
            PendingTokens = sequence.PendingTokens,
            Sampling = sequence.Sampling,
        };
        if (request.Forked)
        {
            AddRow(step, sequence, row);
            return;
        }

        foreach (Sequence choice in request.Sequences)
        {
            if (choice.Status == SequenceStatus.Finished) continue;
            row.Sampling = choice.Sampling;
            AddRow(step, choice, row);
        }
    }

    private static void AddRow(StepInFlight step, Sequence owner, in LogitsRow row)
    {
        int index = step.Plan.RowCount++;
        step.RowOwners[index] = owner;
        step.Plan.Rows[index] = row;
    }
}
