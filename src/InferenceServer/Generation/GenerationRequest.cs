using System.Text.Json;
using InferenceServer.Core.Requests;

namespace InferenceServer.Generation;

/// <summary>
/// One request, whichever door it came in by: what HTTP and gRPC both parse into. Values are validated by the door
/// (ranges, types); what depends on the model (ids, lengths, template) is checked by the pipeline.
/// </summary>
internal sealed record GenerationRequest
{
    public required string RequestId { get; init; }

    /// <summary>Null asks for the server's default model.</summary>
    public string? Model { get; init; }

    public required Prompt Prompt { get; init; }

    /// <summary>Fields the caller left out take the model's generation defaults; see <see cref="SamplingOverrides"/>.</summary>
    public required SamplingOverrides Sampling { get; init; }

    /// <summary>Null: as many as fit the context.</summary>
    public int? MaxTokens { get; init; }

    public int Choices { get; init; } = 1;

    public IReadOnlyList<string> StopStrings { get; init; } = [];

    public IReadOnlyList<int> StopTokens { get; init; } = [];

    public bool IncludeStopString { get; init; }

    public bool IgnoreEndOfSequence { get; init; }

    public bool SkipSpecialTokens { get; init; } = true;

    public int Priority { get; init; }

    /// <summary>From arrival; null never expires.</summary>
    public TimeSpan? Timeout { get; init; }

    public Caller Caller { get; init; } = Caller.Anonymous;
}

/// <summary>What to complete: a conversation, a text, or ids.</summary>
internal abstract record Prompt
{
    private Prompt()
    {
    }

    /// <summary>Rendered by the model's chat template; special tokens inside message content stay plain text.</summary>
    /// <param name="Messages">A JSON array of messages with string content.</param>
    /// <param name="Tools">A JSON array, or null.</param>
    /// <param name="Variables">Further template variables (chat_template_kwargs).</param>
    public sealed record Chat(JsonElement Messages, JsonElement? Tools, IReadOnlyDictionary<string, JsonElement>? Variables) : Prompt
    {
        public bool AddGenerationPrompt { get; init; } = true;
    }

    public sealed record FromText(string Text) : Prompt
    {
        public bool AddSpecialTokens { get; init; } = true;

        /// <summary>Recognise special tokens written in the text; only when the caller asks.</summary>
        public bool ParseSpecialTokens { get; init; }
    }

    public sealed record FromTokens(int[] Ids) : Prompt;
}

/// <summary>Sampling as the caller gave it: null means "the model's default".</summary>
internal sealed record SamplingOverrides
{
    public float? Temperature { get; init; }

    public float? TopP { get; init; }

    public int? TopK { get; init; }

    public float? MinP { get; init; }

    public float? TypicalP { get; init; }

    public float? PresencePenalty { get; init; }

    public float? FrequencyPenalty { get; init; }

    public float? RepetitionPenalty { get; init; }

    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    public IReadOnlyList<int>? AllowedTokens { get; init; }

    public IReadOnlyList<int>? BannedTokens { get; init; }

    public int MinTokens { get; init; }

    public ulong? Seed { get; init; }

    public bool Logprobs { get; init; }

    public int TopLogprobs { get; init; }

    public int? PromptLogprobs { get; init; }

    public SamplingParameters Over(SamplingParameters defaults) => defaults with
    {
        Temperature = Temperature ?? defaults.Temperature,
        TopP = TopP ?? defaults.TopP,
        TopK = TopK ?? defaults.TopK,
        MinP = MinP ?? defaults.MinP,
        TypicalP = TypicalP ?? defaults.TypicalP,
        PresencePenalty = PresencePenalty ?? defaults.PresencePenalty,
        FrequencyPenalty = FrequencyPenalty ?? defaults.FrequencyPenalty,
        RepetitionPenalty = RepetitionPenalty ?? defaults.RepetitionPenalty,
        LogitBias = LogitBias,
        AllowedTokens = AllowedTokens,
        BannedTokens = BannedTokens,
        MinTokens = MinTokens,
        Seed = Seed,
        Logprobs = Logprobs,
        TopLogprobs = TopLogprobs,
        PromptLogprobs = PromptLogprobs,
    };
}
