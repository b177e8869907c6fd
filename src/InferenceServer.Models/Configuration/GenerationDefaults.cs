using InferenceServer.Models.Files;
using InferenceServer.Models.Files.Gguf;

namespace InferenceServer.Models.Configuration;

/// <summary>
/// What the model's makers recommend when a caller says nothing: generation_config.json, with config.json for what it leaves out,
/// or the keys of a GGUF file.
/// Null: they say nothing.
/// </summary>
public sealed record GenerationDefaults
{
    public const string FileName = "generation_config.json";

    public int? BosToken { get; init; }

    /// <summary>Any of these ends a completion.</summary>
    public IReadOnlyList<int> EosTokens { get; init; } = [];

    /// <summary>False: greedy unless a caller asks for a temperature.</summary>
    public bool? DoSample { get; init; }

    public float? Temperature { get; init; }

    public float? TopP { get; init; }

    public int? TopK { get; init; }

    public float? RepetitionPenalty { get; init; }

    /// <summary>What a config alone says.</summary>
    internal static GenerationDefaults Of(ModelConfig config) => new() { BosToken = config.BosToken, EosTokens = config.EosTokens };

    /// <summary>A GGUF file's general.sampling.* keys.</summary>
    /// <exception cref="ModelLoadException">A key is out of range.</exception>
    internal static GenerationDefaults Read(GgufMetadata metadata, ModelConfig config) => Of(config) with
    {
        Temperature = (float?)metadata.NumberOrNull("general.sampling.temp", 0, 100),
        TopP = (float?)metadata.NumberOrNull("general.sampling.top_p", 0, 1),
        TopK = metadata.IntOrNull("general.sampling.top_k", 0, int.MaxValue),
        RepetitionPenalty = (float?)metadata.NumberOrNull("general.sampling.penalty_repeat", 1e-3, 1000),
    };

    /// <exception cref="ModelLoadException">A field is out of range.</exception>
    internal static GenerationDefaults Read(string folder, ModelConfig config)
    {
        GenerationDefaults fromConfig = Of(config);
        if (JsonFields.ReadFileIfExists(Path.Combine(folder, FileName)) is not { } json) return fromConfig;
        int lastToken = config.VocabularySize - 1;
        return new GenerationDefaults
        {
            BosToken = json.IntOrNull("bos_token_id", 0, lastToken) ?? fromConfig.BosToken,
            EosTokens = json.IntsOrNull("eos_token_id", 0, lastToken) ?? fromConfig.EosTokens,
            DoSample = json.BoolOrNull("do_sample"),
            Temperature = (float?)json.NumberOrNull("temperature", 0, 100),
            TopP = (float?)json.NumberOrNull("top_p", 0, 1),
            TopK = json.IntOrNull("top_k", 0, int.MaxValue),
            RepetitionPenalty = (float?)json.NumberOrNull("repetition_penalty", 1e-3, 1000),
        };
    }
}
