using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace InferenceServer.Soak;

/// <summary>The polite half of the storm: real HTTP over pooled connections. Thread-safe.</summary>
internal sealed class ApiClient : IDisposable
{
    // Far beyond what a loaded server needs: an answer that takes longer counts as a hang.
    private static readonly TimeSpan HangLimit = TimeSpan.FromSeconds(120);

    private readonly HttpClient _http;
    private readonly Ledger _ledger;

    public ApiClient(Uri url, Ledger ledger)
    {
        _ledger = ledger;
        SocketsHttpHandler handler = new() { MaxConnectionsPerServer = int.MaxValue, UseProxy = false, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30) };
        _http = new HttpClient(handler) { BaseAddress = url, Timeout = HangLimit };
    }

    public Task<Answer> AskAsync(string path, JsonObject body, string? requestId, CancellationToken cancellation) =>
        AskAsync(path, Encoding.UTF8.GetBytes(body.ToJsonString()), requestId, cancellation);

    public async Task<Answer> AskAsync(string path, byte[] body, string? requestId, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await BeginAsync(path, body, requestId, cancellation);
        Answer answer = new((int)response.StatusCode);
        if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            await ReadEventsAsync(response, answer, cancellation);
            return answer;
        }

        byte[] json = await response.Content.ReadAsByteArrayAsync(cancellation);
        answer.Add(json);
        answer.Complete = true;
        return answer;
    }

    /// <summary>Sends and returns with the response's headers; the caller reads or leaves.</summary>
    public async Task<HttpResponseMessage> BeginAsync(string path, byte[] body, string? requestId, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (requestId is not null) request.Headers.Add("x-request-id", requestId);
        HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        _ledger.Count((int)response.StatusCode);
        return response;
    }

    /// <summary>For the server's own pages. Not counted among the statuses.</summary>
    public async Task<(int Status, string Text)> GetAsync(string path, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await _http.GetAsync(path, cancellation);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellation));
    }

    public async Task<MetricsSnapshot> MetricsAsync(CancellationToken cancellation) => MetricsSnapshot.Parse((await GetAsync("metrics", cancellation)).Text);

    /// <exception cref="HttpRequestException">The server does not answer.</exception>
    public async Task<string> FirstModelAsync(CancellationToken cancellation)
    {
        using JsonDocument models = JsonDocument.Parse((await GetAsync("v1/models", cancellation)).Text);
        return models.RootElement.GetProperty("data")[0].GetProperty("id").GetString()!;
    }

    public void Dispose() => _http.Dispose();

    private static async Task ReadEventsAsync(HttpResponseMessage response, Answer answer, CancellationToken cancellation)
    {
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(cancellation));
        while (await reader.ReadLineAsync(cancellation) is { } line)
        {
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            if (line == "data: [DONE]") answer.Complete = true;
            else answer.Add(Encoding.UTF8.GetBytes(line[6..]));
        }
    }
}
