using System.Text.Json;

namespace InferenceServer.Http.Requests;

/// <summary>How the answer is to be delivered.</summary>
/// <param name="Stream">As server-sent events.</param>
/// <param name="IncludeUsage">One more chunk with the usage at the end.</param>
/// <param name="ContinuousUsage">The usage so far in every chunk (vLLM's continuous_usage_stats).</param>
internal readonly record struct StreamChoice(bool Stream, bool IncludeUsage, bool ContinuousUsage)
{
    public static StreamChoice Read(FieldReader fields)
    {
        bool stream = fields.Flag("stream") ?? false;
        if (!fields.TryGet("stream_options", out JsonElement element)) return new StreamChoice(stream, false, false);
        if (!stream) fields.Errors.Invalid("stream_options", "'stream_options' is allowed only with 'stream': true.");
        FieldReader options = new(element, "stream_options.", fields.Errors);
        bool continuous = options.Flag("continuous_usage_stats") ?? false;
        return new StreamChoice(stream, options.Flag("include_usage") ?? false, continuous);
    }
}
