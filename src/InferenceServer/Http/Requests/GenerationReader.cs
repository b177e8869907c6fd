using System.Text.Json;
using InferenceServer.Generation;

namespace InferenceServer.Http.Requests;

/// <summary>What chat and completion requests share besides sampling: lengths, stops, choices.</summary>
internal static class GenerationReader
{
    private const int MaxStops = 64; // OpenAI accepts 4; tools that send more exist
    private const int MaxStopLength = 1024;
    private const int MaxStopTokens = 1024;

    /// <summary>Everything except the prompt and the token limit, which the caller sets.</summary>
    public static GenerationRequest Read(FieldReader fields, RequestContext context, Prompt prompt, SamplingOverrides sampling, int? maxTokens)
    {
        if (maxTokens is { } max && sampling.MinTokens > max)
            fields.Errors.Invalid("min_tokens", $"'min_tokens' is {sampling.MinTokens}, more than the {max} tokens that the completion may have.");
        return new GenerationRequest
        {
            RequestId = context.RequestId,
            Model = fields.Text("model"),
            Prompt = prompt,
            Sampling = sampling,
            MaxTokens = maxTokens,
            Choices = fields.Integer("n", 1, context.Options.MaxChoices) ?? 1,
            StopStrings = Stops(fields),
            StopTokens = fields.Integers("stop_token_ids", MaxStopTokens) ?? [],
            IncludeStopString = fields.Flag("include_stop_str_in_output") ?? false,
            IgnoreEndOfSequence = fields.Flag("ignore_eos") ?? false,
            SkipSpecialTokens = fields.Flag("skip_special_tokens") ?? true,
            Priority = fields.Integer("priority", int.MinValue, int.MaxValue) ?? 0,
            Timeout = context.Options.RequestTimeoutSeconds > 0 ? TimeSpan.FromSeconds(context.Options.RequestTimeoutSeconds) : null,
            Caller = context.Caller,
        };
    }

    private static string[] Stops(FieldReader fields)
    {
        if (!fields.TryGet("stop", out JsonElement element)) return [];
        if (element.ValueKind == JsonValueKind.String) return Stop(fields, element, "stop") is { } single ? [single] : [];
        if (!fields.TryArray("stop", MaxStops, out JsonElement array)) return [];
        List<string> stops = [];
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (Stop(fields, item, $"stop[{stops.Count}]") is not { } stop) return [];
            stops.Add(stop);
        }

        return [.. stops];
    }

    private static string? Stop(FieldReader fields, JsonElement element, string path)
    {
        if (element.ValueKind == JsonValueKind.String && element.GetString() is { Length: > 0 and <= MaxStopLength } stop) return stop;
        fields.Errors.Invalid(path, $"'{path}' must be a string of 1 to {MaxStopLength} characters; it is {FieldReader.Shown(element)}.");
        return null;
    }
}
