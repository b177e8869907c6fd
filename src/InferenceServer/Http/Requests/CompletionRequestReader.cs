using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Requests;

/// <summary>The body of POST /v1/completions.</summary>
internal static class CompletionRequestReader
{
    private const int DefaultMaxTokens = 16; // OpenAI's
    private const int MaxPromptTokens = 1 << 24; // the body limit is reached first

    /// <summary>Exactly one of the results is set.</summary>
    public static (CompletionRequest? Request, RequestRejected? Rejection) Read(JsonElement body, RequestContext context)
    {
        FieldErrors errors = new();
        FieldReader fields = new(body, "", errors);
        UnsupportedFields.CheckCompletion(fields);
        StreamChoice stream = StreamChoice.Read(fields);
        bool echo = fields.Flag("echo") ?? false;
        int maxTokens = (fields.Integer("max_completion_tokens", 0, int.MaxValue) ?? fields.Integer("max_tokens", 0, int.MaxValue)) ?? DefaultMaxTokens;
        if (maxTokens == 0 && !echo) errors.Invalid("max_tokens", "'max_tokens' is 0, so that nothing would be returned; send at least 1, or 'echo': true.");
        SamplingOverrides sampling = ReadLogprobs(fields, SamplingReader.Read(fields, context.Tokenizer), echo, stream.Stream);
        List<Prompt> prompts = ReadPrompts(fields, context.Options.MaxChoices);
        if (errors.First is not null) return (null, errors.First);

        GenerationRequest first = GenerationReader.Read(fields, context, prompts[0], sampling, maxTokens);
        CheckChoices(fields, prompts.Count, first.Choices, context.Options.MaxChoices);
        List<GenerationRequest> generations = [.. prompts.Select((prompt, i) => first with { Prompt = prompt, RequestId = i == 0 ? first.RequestId : $"{first.RequestId}-{i}" })];
        return errors.First is { } rejection ? (null, rejection) : (new CompletionRequest(generations, stream, echo), null);
    }

    private static SamplingOverrides ReadLogprobs(FieldReader fields, SamplingOverrides sampling, bool echo, bool stream)
    {
        if (sampling.PromptLogprobs is not null && stream) fields.Errors.Unsupported("prompt_logprobs", "'prompt_logprobs' is not available with 'stream': true.");
        if (fields.Integer("logprobs", 0, SamplingParameters.MaxTopLogprobs) is not { } top) return sampling;
        int? ofPrompt = echo ? Math.Max(top, sampling.PromptLogprobs ?? 0) : sampling.PromptLogprobs;
        return sampling with { Logprobs = true, TopLogprobs = top, PromptLogprobs = ofPrompt };
    }

    private static void CheckChoices(FieldReader fields, int prompts, int choices, int max)
    {
        if (fields.Integer("best_of", 1, int.MaxValue) is { } best && best != choices)
            fields.Errors.Unsupported("best_of", $"'best_of' is {best}, but this server returns all the choices it makes; leave it out or send 'n' ({choices}).");
        if ((long)prompts * choices > max)
            fields.Errors.Invalid("n", $"{prompts} prompts with 'n' {choices} are more than the {max} choices that one request may have; send several requests.");
    }

    private static List<Prompt> ReadPrompts(FieldReader fields, int maxPrompts)
    {
        bool special = fields.Flag("add_special_tokens") ?? true;
        bool parse = fields.Flag("parse_special") ?? false;
        if (!fields.TryGet("prompt", out JsonElement element))
        {
            fields.Errors.Invalid("prompt", "'prompt' is missing; a string, an array of strings, an array of token ids, or an array of such arrays is expected.");
            return [];
        }

        Prompt FromText(JsonElement text) => new Prompt.FromText(text.GetString()!) { AddSpecialTokens = special, ParseSpecialTokens = parse };
        if (element.ValueKind == JsonValueKind.String) return [FromText(element)];
        if (!fields.TryArray("prompt", MaxPromptTokens, out JsonElement array)) return [];
        if (array.GetArrayLength() == 0)
        {
            fields.Errors.Invalid("prompt", "'prompt' is an empty array; at least one entry is expected.");
            return [];
        }

        if (array[0].ValueKind == JsonValueKind.Number) return fields.TryIntegers(array, "prompt", out int[]? ids) ? [new Prompt.FromTokens(ids)] : [];
        return ReadSeveral(fields, array, maxPrompts, FromText);
    }

    private static List<Prompt> ReadSeveral(FieldReader fields, JsonElement array, int maxPrompts, Func<JsonElement, Prompt> fromText)
    {
        List<Prompt> prompts = [];
        if (array.GetArrayLength() > maxPrompts)
        {
            fields.Errors.Invalid("prompt", $"'prompt' has {array.GetArrayLength()} entries; at most {maxPrompts} are accepted in one request.");
            return prompts;
        }

        JsonValueKind kind = array[0].ValueKind;
        foreach (JsonElement entry in array.EnumerateArray())
        {
            string path = $"prompt[{prompts.Count}]";
            if (entry.ValueKind == kind && kind == JsonValueKind.String) prompts.Add(fromText(entry));
            else if (entry.ValueKind == kind && kind == JsonValueKind.Array)
            {
                if (!fields.TryIntegers(entry, path, out int[]? ids)) break;
                prompts.Add(new Prompt.FromTokens(ids));
            }
            else
            {
                fields.Errors.Invalid(path, $"'{path}' is {FieldReader.Shown(entry)}; the entries of 'prompt' must all be strings, all token ids, or all arrays of token ids.");
                break;
            }
        }

        return prompts;
    }
}
