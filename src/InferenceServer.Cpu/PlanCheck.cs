using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cpu;

/// <summary>Kernels follow a plan's indices with pointers, so whatever they follow is checked first. Cost: a few nanoseconds a token.</summary>
internal static class PlanCheck
{
    /// <exception cref="ArgumentException">An index points outside the cache, the step or its sequence's table.</exception>
    public static void Check(StepPlan plan, KvCacheShape cache)
    {
        int slots = cache.BlockCount * cache.BlockSize, covered = 0;
        for (int s = 0; s < plan.SequenceCount; s++)
        {
            ref StepSequence sequence = ref plan.Sequences[s];
            if (sequence.TokenCount < 0 || sequence.FirstToken < 0 || sequence.FirstToken + sequence.TokenCount > plan.TokenCount)
                Fail(plan, $"sequence {s} claims tokens {sequence.FirstToken} + {sequence.TokenCount} of {plan.TokenCount}");
            if (sequence.BlockCount < 0 || sequence.BlockCount > sequence.BlockTable.Length)
                Fail(plan, $"sequence {s} claims {sequence.BlockCount} blocks of a table of {sequence.BlockTable.Length}");
            covered += sequence.TokenCount;
            CheckTokens(plan, sequence, slots, cache.BlockSize);
        }

        if (covered != plan.TokenCount) Fail(plan, $"its sequences cover {covered} of {plan.TokenCount} tokens");
        for (int i = 0; i < plan.CopyCount; i++)
        {
            BlockCopy copy = plan.Copies[i];
            if ((uint)copy.Source >= (uint)cache.BlockCount || (uint)copy.Destination >= (uint)cache.BlockCount)
                Fail(plan, $"it copies block {copy.Source} to {copy.Destination}; the cache has {cache.BlockCount}");
        }
    }

    public static void CheckTokenIds(StepPlan plan, int vocabulary)
    {
        for (int t = 0; t < plan.TokenCount; t++)
        {
            if ((uint)plan.TokenIds[t] >= (uint)vocabulary) Fail(plan, $"token {t} has id {plan.TokenIds[t]}; the vocabulary has {vocabulary}");
        }
    }

    public static void CheckPositions(StepPlan plan, int positions)
    {
        for (int t = 0; t < plan.TokenCount; t++)
        {
            if (plan.Positions[t] >= positions) Fail(plan, $"token {t} is at position {plan.Positions[t]}; the rotary table has {positions}");
        }
    }

    private static void CheckTokens(StepPlan plan, StepSequence sequence, int slots, int blockSize)
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
