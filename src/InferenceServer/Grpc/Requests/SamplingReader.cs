using Google.Protobuf.Collections;
using InferenceServer.Generation;
using InferenceServer.Grpc.Wire;

namespace InferenceServer.Grpc.Requests;

/// <summary>How tokens are chosen: temperature, RandomSampling and DecodingParameters. Ranges as over HTTP.</summary>
internal static class SamplingReader
{
    private const int MaxBiases = 10_000; // as over HTTP
    private const int MaxIds = 1 << 20; // no vocabulary is larger

    public static SamplingOverrides Read(GenerateRequest message, ResponseShape shape)
    {
        RandomSampling random = message.Sampling ?? new();
        DecodingParameters decoding = message.Decoding ?? new();
        CheckRanges(message, random, decoding);
        RefuseStructure(decoding);
        int[] allowed = Refusal.Ids("decoding.allowed_token_ids", decoding.AllowedTokenIds, MaxIds);
        return new SamplingOverrides
        {
            Temperature = message.HasTemperature ? message.Temperature : null,
            TopK = random.TopK == 0 ? null : Refusal.Int("sampling.top_k", random.TopK),
            TopP = Given(random.TopP),
            MinP = Given(random.MinP),
            Seed = random.HasSeed ? unchecked((ulong)random.Seed) : null,
            PresencePenalty = Given(decoding.PresencePenalty),
            FrequencyPenalty = Given(decoding.FrequencyPenalty),
            RepetitionPenalty = Given(decoding.RepetitionPenalty),
            LogitBias = Biases(decoding.LogitBias),
            AllowedTokens = allowed.Length == 0 ? null : allowed,
            MinTokens = Refusal.Int("stopping.min_new_tokens", message.Stopping?.MinNewTokens ?? 0),
            Logprobs = shape.OutputLogprobs,
            TopLogprobs = shape.OutputCandidates,
            PromptLogprobs = shape.PromptLogprobs ? shape.PromptCandidates : null,
        };
    }

    // Zero is what an absent field reads as, and means "the model's default".
    private static float? Given(float value) => value == 0 ? null : value;

    private static void CheckRanges(GenerateRequest message, RandomSampling random, DecodingParameters decoding)
    {
        Refusal.Range("temperature", message.HasTemperature ? message.Temperature : 0, 0, 2);
        Refusal.Range("sampling.top_p", random.TopP, 0, 1);
        Refusal.Range("sampling.min_p", random.MinP, 0, 1);
        Refusal.Range("decoding.presence_penalty", decoding.PresencePenalty, -2, 2);
        Refusal.Range("decoding.frequency_penalty", decoding.FrequencyPenalty, -2, 2);
        if (decoding.RepetitionPenalty != 0) Refusal.Range("decoding.repetition_penalty", decoding.RepetitionPenalty, 0.01f, 100);
    }

    private static Dictionary<int, float>? Biases(MapField<uint, float> biases)
    {
        const string Field = "decoding.logit_bias";
        if (biases.Count == 0) return null;
        if (biases.Count > MaxBiases) throw Refusal.Invalid(Field, $"has {biases.Count} entries; at most {MaxBiases} are taken.");
        Dictionary<int, float> read = new(biases.Count);
        foreach ((uint id, float bias) in biases)
        {
            Refusal.Range(Field, bias, -100, 100);
            read[Refusal.Int(Field, id)] = bias;
        }

        return read;
    }

    private static void RefuseStructure(DecodingParameters decoding)
    {
        string? field = decoding.StructuredOutputCase switch
        {
            DecodingParameters.StructuredOutputOneofCase.None => null,
            DecodingParameters.StructuredOutputOneofCase.Json => "json",
            DecodingParameters.StructuredOutputOneofCase.Regex => "regex",
            DecodingParameters.StructuredOutputOneofCase.Choice => "choice",
            DecodingParameters.StructuredOutputOneofCase.Grammar => "grammar",
            DecodingParameters.StructuredOutputOneofCase.JsonObject => "json_object",
            _ => "structural_tag",
        };
        if (field is not null) throw Refusal.Unsupported("decoding." + field, "it does not constrain outputs; ask for the form in the prompt.");
    }
}
