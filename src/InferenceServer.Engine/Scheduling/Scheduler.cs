using System.Diagnostics;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// Fills a step from one token budget. There are no phases: a sequence has computed and known tokens, and a step closes the gap.
/// Running sequences come first, in rank order; gaps of one (decodes) have their token reserved before longer gaps (chunks of prompts)
/// share what is left; waiting sequences are admitted only when nothing was preempted. Chunked prefill is Agrawal et al., "Sarathi-Serve" (OSDI 2024).
/// </summary>
/// <remarks>
/// Preemption takes from the end of the rank order, and planning goes from its start, so what is planned is never taken back,
/// and the first in rank always makes progress. Owned by the engine thread; allocates nothing.
/// </remarks>
internal sealed class Scheduler(SequenceSet set, StepPlan plan, int tokensPerStep)
{
    private readonly int _rowsPerStep = plan.Rows.Length;
    private int _tokensLeft; // for gaps longer than one
    private int _rowsLeft;

    /// <summary>(plan's sequences)</summary>
    public Sequence[] Planned { get; } = new Sequence[plan.Sequences.Length];

    /// <summary>(plan's rows) Whose answer each row is: forks' first rows belong to choices without an own part in the step.</summary>
    public Sequence[] RowOwners { get; } = new Sequence[plan.Rows.Length];

    /// <summary>Refills the plan.</summary>
    /// <param name="stepIndex">From 1.</param>
    /// <param name="now">On the engine's clock.</param>
    public void Plan(long stepIndex, long now)
    {
        plan.StepIndex = stepIndex;
        plan.TokenCount = plan.SequenceCount = plan.RowCount = plan.CopyCount = 0;
        ReserveDecodes();
        long preemptions = set.Counters.Preemptions;
        for (int i = 0; i < set.Running.Count; i++)
        {
            Sequence sequence = set.Running[i];
            int tokens = TakeTokens(sequence);
            if (tokens > 0 && set.TryReserve(sequence, tokens, plan)) Add(sequence, tokens, now);
        }

        if (set.Counters.Preemptions == preemptions) Admit(now);
        Debug.Assert(set.Live.Count == 0 || plan.SequenceCount > 0, "While a request lives, every step does something.");
    }

    private void ReserveDecodes()
    {
        _tokensLeft = tokensPerStep;
        _rowsLeft = _rowsPerStep;
        foreach (Sequence sequence in set.Running)
        {
            if (sequence.Gap > 1) continue;
            _tokensLeft--;
            _rowsLeft -= SampleRows(sequence);
        }

        Debug.Assert(_tokensLeft >= 0 && _rowsLeft >= 0, "A token and a row for every seat.");
    }

    private void Admit(long now)
    {
        int blocksPromised = 0;
        foreach (Sequence sequence in set.Running) blocksPromised += Math.Max(0, BlocksLacking(sequence));
        while (_tokensLeft > 0 && set.Waiting.Peek() is { } sequence && set.TryAdmit(sequence, blocksPromised))
        {
            // One of gap one takes from the shared budget too: nothing was reserved for it.
            int tokens = TakeChunk(sequence);
            if (tokens > 0 && set.TryReserve(sequence, tokens, plan)) Add(sequence, tokens, now);
            blocksPromised += Math.Max(0, BlocksLacking(sequence));
        }
    }

    private int BlocksLacking(Sequence sequence) => set.Pool.BlocksFor(sequence.KnownTokens) - sequence.TableCount;

    private int TakeTokens(Sequence sequence) => sequence.Gap == 1 ? 1 : TakeChunk(sequence);

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

    private void Add(Sequence sequence, int tokens, long now)
    {
        if (sequence.Request.Summary.ScheduledTimestamp == 0) sequence.Request.Summary.ScheduledTimestamp = now;
        int index = plan.SequenceCount++;
        Planned[index] = sequence;
        ref StepSequence part = ref plan.Sequences[index];
        part.FirstToken = plan.TokenCount;
        part.TokenCount = tokens;
        part.ComputedTokens = sequence.ComputedTokens;
        part.BlockTable = sequence.Table;
        part.BlockCount = sequence.TableCount;
        AddTokens(sequence, tokens, index);
        AddScoreRows(sequence, tokens, index, part.FirstToken);
        if (tokens == sequence.Gap) AddSampleRows(sequence, index);
    }

    private void AddTokens(Sequence sequence, int tokens, int index)
    {
        int blockSize = set.Pool.BlockSize;
        int position = sequence.ComputedTokens;
        int at = plan.TokenCount;
        for (int end = at + tokens; at < end; at++, position++)
        {
            plan.TokenIds[at] = sequence.TokenAt(position);
            plan.Positions[at] = position;
            plan.TokenSequences[at] = index;
            plan.Slots[at] = sequence.Table[position / blockSize] * blockSize + position % blockSize;
        }

        plan.TokenCount = at;
    }

    private void AddScoreRows(Sequence sequence, int tokens, int index, int firstToken)
    {
        int scores = ScoreRows(sequence, tokens);
        int first = Math.Max(sequence.ComputedTokens, sequence.Request.PromptTokensScored);
        for (int position = first; position < first + scores; position++)
        {
            AddRow(sequence, new LogitsRow
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

    private void AddSampleRows(Sequence sequence, int index)
    {
        RequestState request = sequence.Request;
        if (request.MaxTokens == 0) return;
        LogitsRow row = new()
        {
            Token = plan.TokenCount - 1,
            Sequence = index,
            Kind = LogitsRowKind.Sample,
            Position = sequence.KnownTokens,
            Sampling = sequence.Sampling,
        };
        if (request.Forked)
        {
            AddRow(sequence, row);
            return;
        }

        foreach (Sequence choice in request.Sequences)
        {
            if (choice.Status == SequenceStatus.Finished) continue;
            row.Sampling = choice.Sampling;
            AddRow(choice, row);
        }
    }

    private void AddRow(Sequence owner, in LogitsRow row)
    {
        RowOwners[plan.RowCount] = owner;
        plan.Rows[plan.RowCount++] = row;
    }
}
