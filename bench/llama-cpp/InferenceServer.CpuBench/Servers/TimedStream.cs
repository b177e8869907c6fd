using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace InferenceServer.CpuBench.Servers;

/// <summary>One streamed completion and when its text came, of <see cref="Stopwatch"/>. Read by a task of the pool, asked by the bench.</summary>
internal sealed class TimedStream
{
    private readonly List<long> _stamps = [];
    private readonly Lock _lock = new();

    private TimedStream(HttpClient http, int[] prompt, int maxTokens, CancellationToken stopping) => Reading = ReadAsync(http, prompt, maxTokens, stopping);

    /// <summary>Ends with the stream; a cancelled one ends without an error.</summary>
    public Task Reading { get; }

    /// <summary>When pieces of text came, so far.</summary>
    public long[] Stamps
    {
        get
        {
            lock (_lock) return [.. _stamps];
        }
    }

    public static TimedStream Start(HttpClient http, int[] prompt, int maxTokens, CancellationToken stopping) => new(http, prompt, maxTokens, stopping);

    /// <summary>Seconds between neighbouring pieces, of those that came after the one moment and until the other.</summary>
    public static IEnumerable<double> Gaps(long[] stamps, long after, long until)
    {
        for (int i = 1; i < stamps.Length; i++)
        {
            if (stamps[i] > after && stamps[i] <= until) yield return Stopwatch.GetElapsedTime(stamps[i - 1], stamps[i]).TotalSeconds;
        }
    }

    private async Task ReadAsync(HttpClient http, int[] prompt, int maxTokens, CancellationToken stopping)
    {
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Post, "v1/completions")
            {
                Content = JsonContent.Create(new { prompt, max_tokens = maxTokens, temperature = 0, ignore_eos = true, stream = true }),
            };
            using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stopping);
            if (!response.IsSuccessStatusCode) throw new BenchException($"The server answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(stopping)}");
            using StreamReader reader = new(await response.Content.ReadAsStreamAsync(stopping));
            while (await reader.ReadLineAsync(stopping) is { } line)
            {
                if (line.StartsWith("data: {", StringComparison.Ordinal) && HasText(line[6..]))
                    lock (_lock) _stamps.Add(Stopwatch.GetTimestamp());
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // the measurement is over
        }
    }

    private static bool HasText(string chunk)
    {
        using JsonDocument json = JsonDocument.Parse(chunk);
        return json.RootElement.TryGetProperty("choices", out JsonElement choices) && choices.GetArrayLength() > 0
            && choices[0].TryGetProperty("text", out JsonElement text) && text.GetString() is { Length: > 0 };
    }
}
