using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Models.Tests;

/// <summary>Drives a runner by hand, without an engine: one sequence whose block table is reversed, so that logical and physical blocks differ.</summary>
internal sealed class HandLoop
{
    private readonly IModelRunner _runner;
    private readonly StepPlan _plan;
    private readonly StepResult _result;
    private readonly int[] _blocks;
    private readonly SamplingState _greedy = new(new SamplingParameters { Temperature = 0 }, 0, [], []);

    public HandLoop(IModelRunner runner)
    {
        _runner = runner;
        RunnerLimits limits = runner.Limits;
        _plan = new StepPlan(limits.MaxTokensPerStep, limits.MaxSequencesPerStep, limits.MaxRowsPerStep);
        _result = new StepResult(limits.MaxRowsPerStep);
        _blocks = [.. Enumerable.Range(0, limits.BlockCount).Reverse()];
    }

    /// <summary>The prompt followed by up to <paramref name="count"/> greedy tokens, ending with the first stop token.</summary>
    /// <param name="prompt">At least one token.</param>
    /// <param name="count">How many to generate.</param>
    /// <param name="chunk">Most prompt tokens a step.</param>
    /// <param name="stops">Any of these ends it.</param>
    public List<int> Greedy(IReadOnlyList<int> prompt, int count, int chunk = int.MaxValue, params IReadOnlyList<int> stops)
    {
        List<int> tokens = [.. prompt];
        int computed = 0;
        for (int left = count; left > 0;)
        {
            int end = Math.Min(tokens.Count, computed + Math.Min(chunk, _runner.Limits.MaxTokensPerStep));
            bool samples = end == tokens.Count;
            int token = Step(tokens, computed, end, rows: samples ? 1 : 0);
            computed = end;
            if (!samples) continue;
            tokens.Add(token);
            left--;
            if (stops.Contains(token)) break;
        }

        return tokens;
    }

    /// <summary>One step over tokens[computed..end) that asks for the logits of the last <paramref name="rows"/>; returns the last row's token, or -1.</summary>
    public int Step(IReadOnlyList<int> tokens, int computed, int end, int rows)
    {
        int blockSize = _runner.Limits.BlockSize;
        _plan.StepIndex++;
        _plan.TokenCount = end - computed;
        _plan.SequenceCount = 1;
        _plan.RowCount = rows;
        for (int i = 0; i < _plan.TokenCount; i++)
        {
            int position = computed + i;
            _plan.TokenIds[i] = tokens[position];
            _plan.Positions[i] = position;
            _plan.TokenSequences[i] = 0;
            _plan.Slots[i] = _blocks[position / blockSize] * blockSize + position % blockSize;
        }

        _plan.Sequences[0] = new StepSequence
        {
            FirstToken = 0,
            TokenCount = _plan.TokenCount,
            ComputedTokens = computed,
            BlockTable = _blocks,
            BlockCount = (end + blockSize - 1) / blockSize,
        };
        for (int r = 0; r < rows; r++)
        {
            int token = _plan.TokenCount - rows + r;
            _plan.Rows[r] = new LogitsRow { Token = token, Sequence = 0, Position = computed + token + 1, Sampling = _greedy };
        }

        _runner.Launch(_plan);
        _runner.Await(_result);
        return rows == 0 ? -1 : _result.Rows[rows - 1].Token;
    }
}
