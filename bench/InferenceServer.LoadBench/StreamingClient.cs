using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;

namespace InferenceServer.LoadBench;

/// <summary>Sends one streaming request and times its events. Thread-safe.</summary>
internal sealed class StreamingClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly string _path;

    public StreamingClient(BenchOptions options)
    {
        SocketsHttpHandler handler = new() { MaxConnectionsPerServer = int.MaxValue, PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5) };
        if (options.Reconnect) handler.PooledConnectionLifetime = TimeSpan.Zero;
        _http = new HttpClient(handler) { BaseAddress = options.Url, Timeout = options.Timeout };
        if (options.ApiKey is { } key) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        _path = options.Chat ? "v1/chat/completions" : "v1/completions";
    }

    /// <exception cref="HttpRequestException">The server does not answer.</exception>
    public async Task<string> FirstModelAsync(CancellationToken cancellation)
    {
        using JsonDocument models = JsonDocument.Parse(await _http.GetStringAsync("v1/models", cancellation));
        return models.RootElement.GetProperty("data")[0].GetProperty("id").GetString()!;
    }

    public async Task<RequestRecord> SendAsync(int index, byte[] body, CancellationToken cancellation)
    {
        RequestRecord record = new() { Index = index };
        long start = Stopwatch.GetTimestamp();
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Post, _path) { Content = new ByteArrayContent(body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (response.IsSuccessStatusCode) await ReadEventsAsync(response, record, start, cancellation);
            else record.Error = $"HTTP {(int)response.StatusCode}";
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException or TaskCanceledException)
        {
            if (cancellation.IsCancellationRequested) throw;
            record.Error = e is TaskCanceledException ? "timeout" : e.GetType().Name;
        }

        record.EndToEnd = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return record;
    }

    public void Dispose() => _http.Dispose();

    private static async Task ReadEventsAsync(HttpResponseMessage response, RequestRecord record, long start, CancellationToken cancellation)
    {
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(cancellation));
        long previous = 0;
        int chunks = 0;
        bool done = false;
        while (await reader.ReadLineAsync(cancellation) is { } line)
        {
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            if (line == "data: [DONE]")
            {
                done = true;
                continue;
            }

            using JsonDocument json = JsonDocument.Parse(line.AsMemory(6));
            if (json.RootElement.TryGetProperty("error", out JsonElement error)) record.Error = error.ToString();
            ReadUsage(json.RootElement, record);
            if (!HasText(json.RootElement)) continue;
            long now = Stopwatch.GetTimestamp();
            if (chunks++ == 0) record.TimeToFirstToken = Stopwatch.GetElapsedTime(start, now).TotalSeconds;
            else record.InterTokenLatencies.Add(Stopwatch.GetElapsedTime(previous, now).TotalSeconds);
            previous = now;
        }

        if (record.CompletionTokens == 0) record.CompletionTokens = chunks;
        if (!done) record.Error ??= "the stream ended without [DONE]";
    }

    private static void ReadUsage(JsonElement chunk, RequestRecord record)
    {
        if (!chunk.TryGetProperty("usage", out JsonElement usage) || usage.ValueKind != JsonValueKind.Object) return;
        record.PromptTokens = usage.GetProperty("prompt_tokens").GetInt32();
        record.CompletionTokens = usage.GetProperty("completion_tokens").GetInt32();
        if (usage.TryGetProperty("prompt_tokens_details", out JsonElement details) && details.ValueKind == JsonValueKind.Object
            && details.TryGetProperty("cached_tokens", out JsonElement cached) && cached.ValueKind == JsonValueKind.Number) record.CachedTokens = cached.GetInt32();
    }

    private static bool HasText(JsonElement chunk)
    {
        if (!chunk.TryGetProperty("choices", out JsonElement choices) || choices.GetArrayLength() == 0) return false;
        JsonElement choice = choices[0];
        JsonElement text = choice.TryGetProperty("delta", out JsonElement delta)
            ? delta.TryGetProperty("content", out JsonElement content) ? content : default
            : choice.TryGetProperty("text", out JsonElement plain) ? plain : default;
        return text.ValueKind == JsonValueKind.String && text.GetString()!.Length > 0;
    }
}
