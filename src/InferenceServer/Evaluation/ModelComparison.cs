using InferenceServer.Cpu;
using InferenceServer.Hosting;
using InferenceServer.Options;

namespace InferenceServer.Evaluation;

/// <summary>
/// A model as asked for beside itself with everything in f32 (weights, keys and values, activations): what its formats cost in accuracy.
/// Both are loaded at once and run over the same tokens.
/// </summary>
internal static class ModelComparison
{
    /// <param name="referenceSource">Which model is loaded in f32.</param>
    /// <param name="source">Which model is held to it; usually the same.</param>
    /// <param name="options">As asked for; always run on the CPU.</param>
    /// <param name="chooseTexts">Given the f32 model.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="StartupException">A sentence with a next step.</exception>
    public static async Task<Divergence> RunAsync(
        ServedSource referenceSource,
        ServedSource source,
        ServerOptions options,
        Func<RecordedModel, CancellationToken, Task<IReadOnlyList<ScoredText>>> chooseTexts,
        CancellationToken cancellation)
    {
        ServerOptions wide = options with { Cpu = options.Cpu with { Weights = WeightPrecision.F32 }, Kv = options.Kv with { Type = KvType.F32 } };
        await using RecordedModel reference = await RecordedModel.LoadAsync(referenceSource, wide, cancellation);
        await using RecordedModel asked = await RecordedModel.LoadAsync(source, options, cancellation);
        if (asked.Served.VocabularySize != reference.Served.VocabularySize)
            throw new StartupException($"'{source.ServedId}' has {asked.Served.VocabularySize} tokens and '{referenceSource.ServedId}' {reference.Served.VocabularySize}; only models of one vocabulary can be compared.");
        Divergence divergence = new();
        foreach (ScoredText text in await chooseTexts(reference, cancellation))
        {
            await reference.ScoreAsync(text, cancellation);
            await asked.ScoreAsync(text, cancellation);
            for (int position = text.FirstScored; position < text.Ids.Length; position++)
                divergence.Add(reference.LogitsAt(position), asked.LogitsAt(position), text.Ids[position]);
        }

        return divergence;
    }
}
