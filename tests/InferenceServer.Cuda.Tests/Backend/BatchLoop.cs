using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>The smallest continuous batch: every sequence takes part in each step, blocks are handed out in an order of its own, nothing is shared.</summary>
internal sealed class BatchLoop
{
    private readonly IModelRunner _runner;
    private readonly Queue<int> _freeBlocks;
    private readonly Queue<(StepPlan Plan, List<Sequence> Owners)> _flight = [];
    private readonly StepPlan[] _plans;
    private readonly StepResult _result;
    private long _steps;

    public BatchLoop(IModelRunner runner, int seed = 1)
    {
        _runner = runner;
        RunnerLimits limits = runner.Limits;
        int[] blocks = [.. Enumerable.Range(0, limits.BlockCount)];
        new Random(seed).Shuffle(blocks);
        _freeBlocks = new Queue<int>(blocks);
        _plans = [.. Enumerable.Range(0, 2).Select(_ => new StepPlan(limits.MaxTokensPerStep, limits.MaxSequencesPerStep, limits.MaxRowsPerStep))];
        _result = new StepResult(limits.MaxRowsPerStep);
    }

    /// <summary>Most prompt tokens a sequence and step.</summary>
    public int Chunk { get; init; } = int.MaxValue;

    /// <summary>Launch a step before the one before was read, its tokens fed back on the device.</summary>
    public bool FeedBack { get; init; }

    /// <summary>Once a sequence has generated this many tokens, its keys and values are dropped and computed anew elsewhere.</summary>
    public int PreemptAt { get; init; } = -1;

    /// <summary>The log-probability of each token generated, where asked for.</summary>
    public List<List<float>> Logprobs { get; } = [];

    /// <summary>What each prompt is continued with.</summary>
    public List<int>[] Generate(IReadOnlyList<int[]> prompts, int count, Func<int, SamplingParameters>? sampling = null)
    {
        Sequence[] sequences = [.. prompts.Select((p, i) => new Sequence(p, i, sampling?.Invoke(i) ?? new SamplingParameters { Temperature = 0 }))];
        while (true)
        {
            if (_flight.Count < (FeedBack ? 2 : 1) && TryLaunch(sequences, count)) continue;
            if (_flight.Count == 0) break;
            Await(count);
        }

        Logprobs.AddRange(sequences.Select(s => s.Logprobs));
        return [.. sequences.Select(s => s.Tokens.Skip(s.PromptLength).ToList())];
    }

    private bool TryLaunch(Sequence[] sequences, int count)
    {
        StepPlan plan = _plans[_steps % 2];
        (plan.TokenCount, plan.SequenceCount, plan.RowCount, plan.CopyCount) = (0, 0, 0, 0);
        List<Sequence> owners = [];
        foreach (Sequence sequence in sequences.OrderBy(s => s.PendingRow < 0)) // those whose input is on its way are due in this very step
        {
            if (sequence.Chosen == count || (sequence.PendingRow >= 0 && !FeedBack)) continue;
            Add(plan, sequence, owners);
        }

        if (plan.TokenCount == 0) return false;
        plan.StepIndex = ++_steps;
        _runner.Launch(plan);
        _flight.Enqueue((plan, owners));
        return true;
    }

    private void Add(StepPlan plan, Sequence sequence, List<Sequence> owners)
    {
        int known = sequence.Tokens.Count + (sequence.PendingRow >= 0 ? 1 : 0), blockSize = _runner.Limits.BlockSize;
        int tokens = Math.Min(Math.Min(known - sequence.Computed, Chunk), plan.TokenIds.Length - plan.TokenCount);
        if (tokens == 0) return;
        while (sequence.Blocks.Count * blockSize < sequence.Computed + tokens) sequence.Blocks.Add(_freeBlocks.Dequeue());
        plan.Sequences[plan.SequenceCount] = new StepSequence
        {
            FirstToken = plan.TokenCount,
            TokenCount = tokens,
            ComputedTokens = sequence.Computed,
            BlockTable = [.. sequence.Blocks],
            BlockCount = sequence.Blocks.Count,
        };
        for (int position = sequence.Computed; position < sequence.Computed + tokens; position++)
        {
            int t = plan.TokenCount++;
            plan.TokenIds[t] = position < sequence.Tokens.Count ? sequence.Tokens[position] : ~sequence.PendingRow;
            plan.Positions[t] = position;
            plan.TokenSequences[t] = plan.SequenceCount;
            plan.Slots[t] = sequence.Blocks[position / blockSize] * blockSize + position % blockSize;
        }

        sequence.Computed += tokens;
        if (sequence.Computed == known)
        {
            plan.Rows[plan.RowCount] = new LogitsRow
            {
                Token = plan.TokenCount - 1,
                Sequence = plan.SequenceCount,
                Position = known,
                PendingTokens = sequence.PendingRow >= 0 ? 1 : 0,
                Sampling = sequence.Sampling,
            };
            sequence.Chosen++;
            sequence.PendingRow = plan.RowCount++;
            owners.Add(sequence);
        }

        plan.SequenceCount++;
    }

    private void Await(int count)
    {
        (StepPlan plan, List<Sequence> owners) = _flight.Dequeue();
        _runner.Await(_result);
        for (int r = 0; r < plan.RowCount; r++)
        {
            Sequence sequence = owners[r];
            Assert.False(_result.Rows[r].Failed);
            sequence.Tokens.Add(_result.Rows[r].Token);
            sequence.Logprobs.Add(_result.Rows[r].Logprob);
            sequence.Sampling.Accept(_result.Rows[r].Token);
            if (sequence.Tokens.Count - sequence.PromptLength == sequence.Chosen) sequence.PendingRow = -1; // none is on its way
            if (sequence.Tokens.Count - sequence.PromptLength != PreemptAt || sequence.Chosen == count || sequence.PendingRow >= 0) continue;
            sequence.Computed = 0;
            foreach (int block in sequence.Blocks) _freeBlocks.Enqueue(block);
            sequence.Blocks.Clear();
        }
    }

    private sealed class Sequence(int[] prompt, int index, SamplingParameters sampling)
    {
        public List<int> Tokens { get; } = [.. prompt];

        public int PromptLength => prompt.Length;

        public List<float> Logprobs { get; } = [];

        public List<int> Blocks { get; } = [];

        public SamplingState Sampling { get; } = new(sampling, sampling.Seed ?? (ulong)index, [], prompt);

        /// <summary>Tokens whose keys and values are stored or on their way.</summary>
        public int Computed { get; set; }

        /// <summary>Tokens chosen, those on their way counted.</summary>
        public int Chosen { get; set; }

        /// <summary>Row of the last launched step that chooses its next token; -1: none is on its way.</summary>
        public int PendingRow { get; set; } = -1;
    }
}
