namespace InferenceServer.GpuBench.Model;

/// <summary>What the model is measured at. A run for the stand-in driver differs in these numbers alone.</summary>
internal sealed record ModelSizes
{
    public static ModelSizes Full { get; } = new()
    {
        Batches = [1, 8, 32, 64, 128, 256],
        Contexts = [1024, 4096],
        Prompts = [128, 512, 2048, 8192],
        MaxTokensPerStep = 4096,
        WarmSteps = 8,
        TimedSteps = 32,
        ContextLength = 10240,
    };

    public static ModelSizes Tiny { get; } = new()
    {
        Batches = [1, 3],
        Contexts = [20],
        Prompts = [8],
        MaxTokensPerStep = 32,
        WarmSteps = 1,
        TimedSteps = 2,
        ContextLength = 96,
    };

    public required IReadOnlyList<int> Batches { get; init; }

    /// <summary>Known tokens of a sequence that decodes; the whole engine is measured at the first.</summary>
    public required IReadOnlyList<int> Contexts { get; init; }

    public required IReadOnlyList<int> Prompts { get; init; }

    public required int MaxTokensPerStep { get; init; }

    public required int WarmSteps { get; init; }

    public required int TimedSteps { get; init; }

    public required int ContextLength { get; init; }

    public int MostSequences => Batches.Max();

    /// <summary>
    /// Tokens that the KV pool should hold. The whole engine's largest batch grows while its smaller ones are measured, by half a context at most;
    /// at the longest context a batch of half the sequences is wanted.
    /// </summary>
    public long KvTokens => Math.Max((long)MostSequences * Contexts[0] * 3 / 2, (long)(MostSequences + 1) / 2 * Contexts[^1]) + 2L * Prompts.Max();
}
