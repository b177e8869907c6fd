namespace InferenceServer.Core.Requests;

/// <summary>
/// How the next token of a sequence is chosen. Immutable; shared freely between threads.
/// Validated before it is built: a value out of range never reaches the engine.
/// </summary>
public sealed record SamplingParameters
{
    /// <summary>0 picks the most likely token (ties: the lowest id); 1 samples the model's own distribution.</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Keep only the K most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the smallest set of most likely tokens whose probabilities reach this sum (0, 1]; 1 keeps all.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Drop tokens less likely than this share of the most likely one [0, 1]; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>Locally typical sampling (Meister et al. 2022) mass (0, 1]; 1 keeps all.</summary>
    public float TypicalP { get; init; } = 1f;

    /// <summary>Subtracted once from the logit of every token already generated. [-2, 2]</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a logit once for each time its token was generated. [-2, 2]</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens in the prompt or the completion; 1 is off. (Keskar et al. 2019)</summary>
    public float RepetitionPenalty { get; init; } = 1f;

    /// <summary>Added to logits before anything else; token id to bias [-100, 100].</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>When set, every other token is impossible.</summary>
    public IReadOnlyList<int>? AllowedTokens { get; init; }

    /// <summary>Tokens that are impossible.</summary>
    public IReadOnlyList<int>? BannedTokens { get; init; }

    /// <summary>Stop tokens are impossible until this many tokens were generated.</summary>
    public int MinTokens { get; init; }

    /// <summary>Null: the engine draws one. The same seed gives the same tokens, whatever else runs.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Report the log-probability of each chosen token.</summary>
    public bool Logprobs { get; init; }

    /// <summary>Also report this many most likely alternatives per token. [0, 20]</summary>
    public int TopLogprobs { get; init; }

    /// <summary>Null: none. Otherwise report the log-probability of each prompt token and this many alternatives.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>The most alternatives a caller may ask for; the OpenAI API's own limit.</summary>
    public const int MaxTopLogprobs = 20;
}
