using InferenceServer.Core.Stepping;

namespace InferenceServer.Cpu.Tests;

/// <summary>Fills step plans for sequences whose blocks lie where a test wants them.</summary>
internal sealed class PlanBuilder(int blockSize, int maxTokens = 256)
{
    private readonly StepPlan _plan = new(maxTokens, 64, maxTokens);

    /// <summary>Starts the next step.</summary>
    public PlanBuilder Next()
    {
        _plan.StepIndex++;
        (_plan.TokenCount, _plan.SequenceCount, _plan.RowCount, _plan.CopyCount) = (0, 0, 0, 0);
        return this;
    }

    /// <summary>Adds tokens of one sequence at positions computed.., and asks for the logits after each of them.</summary>
    public PlanBuilder Add(ReadOnlySpan<int> tokens, int computed, int[] blockTable)
    {
        ref StepSequence sequence = ref _plan.Sequences[_plan.SequenceCount];
        sequence = new StepSequence
        {
            FirstToken = _plan.TokenCount,
            TokenCount = tokens.Length,
            ComputedTokens = computed,
            BlockTable = blockTable,
            BlockCount = blockTable.Length,
        };
        for (int i = 0; i < tokens.Length; i++)
        {
            int t = _plan.TokenCount++, position = computed + i;
            _plan.TokenIds[t] = tokens[i];
            _plan.Positions[t] = position;
            _plan.TokenSequences[t] = _plan.SequenceCount;
            _plan.Slots[t] = blockTable[position / blockSize] * blockSize + position % blockSize;
            _plan.Rows[_plan.RowCount++] = new LogitsRow { Token = t, Sequence = _plan.SequenceCount, Position = position + 1 };
        }

        _plan.SequenceCount++;
        return this;
    }

    public PlanBuilder Copy(int source, int destination)
    {
        _plan.Copies[_plan.CopyCount++] = new BlockCopy(source, destination);
        return this;
    }

    public StepPlan Build() => _plan;
}
