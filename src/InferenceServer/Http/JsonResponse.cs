using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;

namespace InferenceServer.Http;

/// <summary>A whole JSON body with its length, so that clients and proxies need no chunks.</summary>
internal static class JsonResponse
{
    private const string ContentType = "application/json";
    private static readonly TimeSpan StallLimit = new StreamTiming().StallLimit;

    public static async Task WriteAsync<T>(HttpContext http, T value, Action<Utf8JsonWriter, T> write)
    {
        ArrayBufferWriter<byte> buffer = new(512);
        using (Utf8JsonWriter json = new(buffer, ErrorWriter.Json)) write(json, value);
        await WriteAsync(http, buffer.WrittenMemory);
    }

    public static async Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> json)
    {
        http.Response.ContentType = ContentType;
        http.Response.ContentLength = json.Length;
        ValueTask<FlushResult> write = http.Response.BodyWriter.WriteAsync(json, http.RequestAborted);
        if (write.IsCompletedSuccessfully) return;
        try
        {
            await write.AsTask().WaitAsync(StallLimit, http.RequestAborted);
        }
        catch (TimeoutException)
        {
            http.Abort(); // the client takes nothing; the body must not stay in memory for it
        }
    }
}
