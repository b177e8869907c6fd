using System.Numerics;
using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cuda.Steps;

/// <summary>Kernels follow a plan's indices with pointers, and a wild one poisons the whole context: whatever they follow is checked first.</summary>
internal static class PlanCheck
{
    /// <exception cref="ArgumentException">The plan is larger than the step buffers, or an index points outside the cache, the step or its sequence's table.</exception>
    public static void Check(StepPlan plan, KvCacheShape cache, CudaOptions limits)
    {
        if (plan.TokenCount < 0 || plan.TokenCount > limits.MaxTokensPerStep || plan.SequenceCount > limits.MaxSequencesPerStep
            || plan.RowCount > limits.MaxRowsPerStep || plan.CopyCount > limits.MaxSequencesPerStep)
            Fail(plan, $"{plan.TokenCount} tokens, {plan.SequenceCount} sequences, {plan.RowCount} rows and {plan.CopyCount} copies are more than "
                + $"{limits.MaxTokensPerStep}, {limits.MaxSequencesPerStep}, {limits.MaxRowsPerStep} and {limits.MaxSequencesPerStep}");
        int slots = cache.BlockCount * cache.BlockSize, covered = 0;
        for (int s = 0; s < plan.SequenceCount; s++)
        {
            ref StepSequence sequence = ref plan.Sequences[s];
            if (sequence.TokenCount < 0 || sequence.FirstToken < 0 || sequence.FirstToken + sequence.TokenCount > plan.TokenCount)
                Fail(plan, $"sequence {s} claims tokens {sequence.FirstToken} + {sequence.TokenCount} of {plan.TokenCount}");
            if (sequence.BlockCount < 0 || sequence.BlockCount > sequence.BlockTable.Length)
                Fail(plan, $"sequence {s} claims {sequence.BlockCount} blocks of a table of {sequence.BlockTable.Length}");
            if (sequence.ComputedTokens + sequence.TokenCount > limits.ContextLength)
                Fail(plan, $"sequence {s} has {sequence.ComputedTokens + sequence.TokenCount} tokens; the context is {limits.ContextLength}");
            covered += sequence.TokenCount;
            CheckTokens(plan, in sequence, slots, cache.BlockSize);
        }

        if (covered != plan.TokenCount) Fail(plan, $"its sequences cover {covered} of {plan.TokenCount} tokens");
        for (int r = 0; r < plan.RowCount; r++)
            if ((uint)plan.Rows[r].Token >= (uint)plan.TokenCount) Fail(plan, $"row {r} asks for token {plan.Rows[r].Token} of {plan.TokenCount}");
        for (int i = 0; i < plan.CopyCount; i++)
        {
            BlockCopy copy = plan.Copies[i];
            if ((uint)copy.Source >= (uint)cache.BlockCount || (uint)copy.Destination >= (uint)cache.BlockCount)
                Fail(plan, $"it copies block {copy.Source} to {copy.Destination}; the cache has {cache.BlockCount}");
        }
    }

    /// <summary>Ids are in the vocabulary, or stand for a choice that the step before left on the device.</summary>
    /// <param name="fed">(rows of the step before) Which choices were left there.</param>
    public static void CheckTokenIds(StepPlan plan, int vocabulary, ReadOnlySpan<bool> fed)
    {
        for (int t = 0; t < plan.TokenCount; t++)
        {
            int id = plan.TokenIds[t];
            if ((uint)id < (uint)vocabulary) continue;
            if (id >= 0) Fail(plan, $"token {t} has id {id}; the vocabulary has {vocabulary}");
            if (~id >= fed.Length || !fed[~id])
                Fail(plan, $"token {t} is the choice of row {~id} of the step before, which had {fed.Length} rows and did not leave that one's on the device");
        }
    }

    public static void CheckPositions(StepPlan plan, int positions)
    {
        for (int t = 0; t < plan.TokenCount; t++)
            if (plan.Positions[t] >= positions) Fail(plan, $"token {t} is at position {plan.Positions[t]}; the rotary table has {positions}");
    }

    /// <summary>Every block of a table that will be followed is one of the cache's.</summary>
    public static void CheckBlocks(StepPlan plan, int sequence, ReadOnlySpan<int> table, int blockCount)
    {
        ReadOnlySpan<Vector<uint>> lanes = MemoryMarshal.Cast<int, Vector<uint>>(table);
        Vector<uint> largest = Vector<uint>.Zero;
        foreach (Vector<uint> lane in lanes) largest = Vector.Max(largest, lane); // a negative block is a huge unsigned one
        bool sound = Vector.LessThanAll(largest, new Vector<uint>((uint)blockCount));
        for (int i = lanes.Length * Vector<uint>.Count; i < table.Length; i++) sound &= (uint)table[i] < (uint)blockCount;
        if (sound) return;
        foreach (int block in table)
            if ((uint)block >= (uint)blockCount) Fail(plan, $"sequence {sequence}'s table names block {block}; the cache has {blockCount}");
    }

    private static void CheckTokens(StepPlan plan, in StepSequence sequence, int slots, int blockSize)
    {
        long capacity = (long)sequence.BlockCount * blockSize;
        for (int i = 0; i < sequence.TokenCount; i++)
        {
            int t = sequence.FirstToken + i;
            if (plan.Positions[t] != sequence.ComputedTokens + i || plan.Positions[t] < 0 || plan.Positions[t] >= capacity)
                Fail(plan, $"token {t} is at position {plan.Positions[t]}, expected {sequence.ComputedTokens + i} within {sequence.BlockCount} blocks");
            if ((uint)plan.Slots[t] >= (uint)slots) Fail(plan, $"token {t} goes to slot {plan.Slots[t]} of {slots}");
        }
    }

    private static void Fail(StepPlan plan, string what) => throw new ArgumentException($"Step {plan.StepIndex} is malformed: {what}.");
}
