using System.Globalization;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Text;
using InferenceServer.Generation;

namespace InferenceServer.Http.Requests;

/// <summary>The sampling fields that both endpoints share, OpenAI's and vLLM's; ranges as their documents state them.</summary>
internal static class SamplingReader
{
    private const int MaxBiases = 10_000; // OpenAI stops at 1,024; lists over a whole vocabulary belong into allowed_token_ids
    private const int MaxIds = 1 << 20; // no vocabulary is larger
    private const int MaxBadWords = 1024;

    /// <param name="fields">The whole body.</param>
    /// <param name="tokenizer">For bad_words; null while the model loads, when the request is refused anyway.</param>
    public static SamplingOverrides Read(FieldReader fields, ITokenizer? tokenizer) => new()
    {
        Temperature = fields.Number("temperature", 0, 2),
        TopP = fields.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, float.Epsilon) : null, // 0 keeps the most likely token alone
        TopK = fields.Integer("top_k", -1, int.MaxValue) is { } topK ? Math.Max(topK, 0) : null, // vLLM spells "all" as -1
        MinP = fields.Number("min_p", 0, 1),
        TypicalP = fields.Number("typical_p", float.Epsilon, 1),
        PresencePenalty = fields.Number("presence_penalty", -2, 2),
        FrequencyPenalty = fields.Number("frequency_penalty", -2, 2),
        RepetitionPenalty = fields.Number("repetition_penalty", 0.01, 100),
        LogitBias = LogitBias(fields),
        AllowedTokens = AllowedTokens(fields),
        BannedTokens = BadWords(fields, tokenizer),
        MinTokens = fields.Integer("min_tokens", 0, int.MaxValue) ?? 0,
        Seed = fields.Bits("seed"),
        PromptLogprobs = fields.Integer("prompt_logprobs", 0, SamplingParameters.MaxTopLogprobs),
    };

    private static int[]? AllowedTokens(FieldReader fields)
    {
        int[]? ids = fields.Integers("allowed_token_ids", MaxIds);
        if (ids is { Length: 0 }) fields.Errors.Invalid("allowed_token_ids", "'allowed_token_ids' is empty, so that no token could be chosen; name at least one or leave it out.");
        return ids;
    }

    private static Dictionary<int, float>? LogitBias(FieldReader fields)
    {
        if (!fields.TryGet("logit_bias", out JsonElement element)) return null;
        if (element.ValueKind != JsonValueKind.Object || element.GetPropertyCount() > MaxBiases)
        {
            fields.Wrong("logit_bias", $"an object of at most {MaxBiases} token ids", element);
            return null;
        }

        Dictionary<int, float> biases = [];
        foreach (JsonProperty entry in element.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
                fields.Errors.Invalid("logit_bias", $"A key of 'logit_bias' is not a token id: {(entry.Name.Length <= 64 ? entry.Name : entry.Name[..64])}.");
            else if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetDouble(out double bias) || bias is not (>= -100 and <= 100))
                fields.Errors.Invalid($"logit_bias.{id}", $"'logit_bias.{id}' must be a number from -100 to 100; it is {FieldReader.Shown(entry.Value)}.");
            else
                biases[id] = (float)bias;
        }

        return biases.Count == 0 ? null : biases;
    }

    /// <summary>Words that are one token, alone or after a space. Longer ones would need a constraint over sequences, which the sampler does not have.</summary>
    private static HashSet<int>? BadWordIds(FieldReader fields, JsonElement words, ITokenizer tokenizer)
    {
        HashSet<int> ids = [];
        int i = 0;
        foreach (JsonElement word in words.EnumerateArray())
        {
            string path = $"bad_words[{i++}]";
            if (word.ValueKind != JsonValueKind.String || word.GetString() is not { Length: > 0 and <= 128 } text)
            {
                fields.Errors.Invalid(path, $"'{path}' must be a string of 1 to 128 characters; it is {FieldReader.Shown(word)}.");
                return null;
            }

            int before = ids.Count;
            bool known = TryBan(text, tokenizer, ids) | TryBan(" " + text, tokenizer, ids);
            if (!known && ids.Count == before)
                fields.Errors.Unsupported(path, $"'{path}' is more than one token of this model; only single tokens can be banned.");
        }

        return ids;
    }

    private static int[]? BadWords(FieldReader fields, ITokenizer? tokenizer)
    {
        if (!fields.TryArray("bad_words", MaxBadWords, out JsonElement words) || words.GetArrayLength() == 0 || tokenizer is null) return null;
        return BadWordIds(fields, words, tokenizer) is { } ids ? [.. ids] : null;
    }

    private static bool TryBan(string text, ITokenizer tokenizer, HashSet<int> ids)
    {
        List<int> tokens = [];
        tokenizer.Encode(text, new EncodeOptions { AddSpecial = false }, tokens);
        if (tokens.Count != 1) return false;
        ids.Add(tokens[0]);
        return true;
    }
}
