using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Unicode;
using InferenceServer.Core.Requests;

namespace InferenceServer.Http;

/// <summary>A JSON request body: read up to a limit, checked to be UTF-8, parsed to a bounded depth. Whatever the bytes are, the answer is a value.</summary>
internal static class RequestBody
{
    /// <summary>Deeper nesting is a 400; the deepest tool schemas seen in the wild have about 20 levels.</summary>
    public const int MaxDepth = 64;

    private static readonly JsonDocumentOptions Json = new() { MaxDepth = MaxDepth };

    /// <summary>Exactly one of the results is set; the caller disposes the document.</summary>
    /// <exception cref="BadHttpRequestException">Kestrel's own limits: too large, too slow, cut off.</exception>
    public static async ValueTask<(JsonDocument? Body, RequestRejected? Rejection)> ReadAsync(HttpContext http, long maxBytes)
    {
        PipeReader reader = http.Request.BodyReader;
        while (true)
        {
            ReadResult read = await ReadSomeAsync(reader, http.RequestAborted);
            if (read.Buffer.Length > maxBytes)
            {
                reader.AdvanceTo(read.Buffer.End);
                return (null, TooLarge(maxBytes));
            }

            if (read.IsCompleted)
            {
                byte[] bytes = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return Parse(bytes);
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static async ValueTask<ReadResult> ReadSomeAsync(PipeReader reader, CancellationToken aborted)
    {
        try
        {
            return await reader.ReadAsync(aborted);
        }
        catch (IOException e) when (e is not BadHttpRequestException)
        {
            // Kestrel's parser of chunks reports a size beyond 64 bits like a broken wire; the sender is at fault either way.
            throw new BadHttpRequestException("The request body ended or broke before it was whole.", StatusCodes.Status400BadRequest, e);
        }
    }

    /// <param name="bytes">Kept by the document, and changed in place where an escape names half a surrogate pair.</param>
    public static (JsonDocument? Body, RequestRejected? Rejection) Parse(byte[] bytes)
    {
        ReadOnlySpan<byte> bom = [0xEF, 0xBB, 0xBF];
        Memory<byte> text = bytes.AsMemory(bytes.AsSpan().StartsWith(bom) ? bom.Length : 0);
        if (text.IsEmpty) return (null, Invalid("The request has no body; a JSON object is expected."));
        if (!Utf8.IsValid(text.Span)) return (null, Invalid("The request body is not valid UTF-8."));
        LoneSurrogates.Replace(text.Span);
        try
        {
            return (JsonDocument.Parse(text, Json), null);
        }
        catch (JsonException e)
        {
            return (null, Invalid($"The request body is not valid JSON: {e.Message}"));
        }
    }

    public static RequestRejected TooLarge(long maxBytes) =>
        new(RejectionKind.TooLarge, "request_too_large", null, $"The request body is larger than the {maxBytes} bytes this server accepts.");

    private static RequestRejected Invalid(string message) => new(RejectionKind.Invalid, "invalid_json", null, message);
}
