using InferenceServer.Core.Stepping;
using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Running;

/// <summary>Options and a config to exact limits. What was asked for is given or refused in a sentence; what was not is fitted.</summary>
internal static class RunnerSizing
{
    /// <exception cref="ModelLoadException">Says which option does not fit and what would.</exception>
    public static RunnerLimits Compute(ModelConfig config, RunnerOptions options)
    {
        CheckPositive(options);
        int wanted = options.ContextLength ?? config.NativeContext;
        if (wanted > config.LongestContext)
            throw new ModelLoadException($"A context of {wanted} tokens was asked for, but the model was made for at most {config.LongestContext}; lower the context length.");

        long blockBytes = options.KvBlockBytes ?? MemoryEstimate.Of(config, 0, options.KvElementBytes).KvBytesPerToken * options.BlockSize;
        int blocks = options.BlockCount ?? FittingBlocks(options, wanted, blockBytes);
        long capacity = (long)blocks * options.BlockSize;
        if (capacity > int.MaxValue)
            throw new ModelLoadException($"A KV pool of {blocks} blocks has {capacity} slots; at most {int.MaxValue} can be addressed. Use fewer blocks.");
        if (wanted > capacity && options.ContextLength is not null)
            throw new ModelLoadException(
                $"The KV pool holds {capacity} tokens, less than one context of {wanted}; "
                + $"give it at least {BlocksOf(wanted, options.BlockSize) * blockBytes} bytes or lower the context length.");
        return new RunnerLimits
        {
            VocabularySize = config.VocabularySize,
            ContextLength = (int)Math.Min(wanted, capacity),
            BlockSize = options.BlockSize,
            BlockCount = blocks,
            MaxTokensPerStep = options.MaxTokensPerStep,
            MaxSequencesPerStep = options.MaxSequencesPerStep,
            MaxRowsPerStep = options.MaxRowsPerStep,
        };
    }

    private static int FittingBlocks(RunnerOptions options, int context, long blockBytes)
    {
        long affordable = options.KvBytes / blockBytes;
        if (affordable == 0)
            throw new ModelLoadException($"The KV pool of {options.KvBytes} bytes holds not one block of {options.BlockSize} tokens ({blockBytes} bytes); give it more.");
        long useful = BlocksOf(context, options.BlockSize) * options.MaxSequencesPerStep;
        return (int)Math.Min(Math.Min(affordable, useful), int.MaxValue / options.BlockSize);
    }

    private static long BlocksOf(int tokens, int blockSize) => ((long)tokens + blockSize - 1) / blockSize;

    private static void CheckPositive(RunnerOptions options)
    {
        ReadOnlySpan<(string Name, long Value)> sizes =
        [
            (nameof(options.BlockSize), options.BlockSize),
            (nameof(options.BlockCount), options.BlockCount ?? 1),
            (nameof(options.KvBytes), options.KvBytes),
            (nameof(options.KvElementBytes), options.KvElementBytes),
            (nameof(options.KvBlockBytes), options.KvBlockBytes ?? 1),
            (nameof(options.MaxTokensPerStep), options.MaxTokensPerStep),
            (nameof(options.MaxSequencesPerStep), options.MaxSequencesPerStep),
            (nameof(options.ContextLength), options.ContextLength ?? 1),
        ];
        foreach ((string name, long value) in sizes)
            if (value < 1) throw new ModelLoadException($"{name} is {value}; expected at least 1.");
        if (options.MaxRowsPerStep < options.MaxSequencesPerStep)
            throw new ModelLoadException($"MaxRowsPerStep is {options.MaxRowsPerStep}; expected at least MaxSequencesPerStep = {options.MaxSequencesPerStep}.");
        if (options.MaxTokensPerStep < options.MaxSequencesPerStep)
            throw new ModelLoadException($"MaxTokensPerStep is {options.MaxTokensPerStep}; expected at least MaxSequencesPerStep = {options.MaxSequencesPerStep}, or decodes would starve.");
    }
}
