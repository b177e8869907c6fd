using InferenceServer.Core.Requests;
using InferenceServer.Core.Text;

namespace InferenceServer.Hosting;

/// <summary>A loaded model with everything a request needs. Immutable; disposing is its host's job.</summary>
internal sealed record ServedModel
{
    /// <summary>The id that callers name and responses carry.</summary>
    public required string Id { get; init; }

    /// <summary>Unix seconds.</summary>
    public required long Created { get; init; }

    public required IEngine Engine { get; init; }

    public required ITokenizer Tokenizer { get; init; }

    /// <summary>Null: the model has none, and chat is refused with a sentence.</summary>
    public IChatTemplate? Template { get; init; }

    /// <summary>Trusted template variables: bos_token, eos_token.</summary>
    public required IReadOnlyDictionary<string, string> TemplateTokens { get; init; }

    public required int ContextLength { get; init; }

    /// <summary>Most tokens that one step computes.</summary>
    public required int TokensPerStep { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>End-of-sequence ids.</summary>
    public required IReadOnlyList<int> EndTokens { get; init; }

    /// <summary>From generation_config.json.</summary>
    public required SamplingParameters Defaults { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
