using System.Globalization;
using System.Text.Json;

namespace InferenceServer.LoadBench;

/// <summary>The figures of one run, as text for people and JSON for scripts. Latencies in milliseconds.</summary>
internal sealed record BenchReport
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public required string Model { get; init; }

    public required int Requests { get; init; }

    public required int Failed { get; init; }

    /// <summary>Reason to count.</summary>
    public required IReadOnlyDictionary<string, int> Errors { get; init; }

    public required double Seconds { get; init; }

    public required long PromptTokens { get; init; }

    public required long CachedTokens { get; init; }

    public required long CompletionTokens { get; init; }

    public required double RequestsPerSecond { get; init; }

    public required double OutputTokensPerSecond { get; init; }

    public required double TotalTokensPerSecond { get; init; }

    /// <summary>Good requests a second; null without targets.</summary>
    public double? Goodput { get; init; }

    public required Distribution TtftMs { get; init; }

    public required Distribution ItlMs { get; init; }

    public required Distribution TpotMs { get; init; }

    public required Distribution E2eMs { get; init; }

    public static BenchReport From(string model, IReadOnlyList<RequestRecord> records, double seconds, GoodputTargets? goodput)
    {
        List<RequestRecord> good = [.. records.Where(r => r.Succeeded)];
        long prompt = good.Sum(r => (long)r.PromptTokens), completion = good.Sum(r => (long)r.CompletionTokens);
        return new BenchReport
        {
            Model = model,
            Requests = records.Count,
            Failed = records.Count - good.Count,
            Errors = records.Where(r => !r.Succeeded).GroupBy(r => r.Error!).ToDictionary(g => g.Key, g => g.Count()),
            Seconds = seconds,
            PromptTokens = prompt,
            CachedTokens = good.Sum(r => (long)r.CachedTokens),
            CompletionTokens = completion,
            RequestsPerSecond = good.Count / seconds,
            OutputTokensPerSecond = completion / seconds,
            TotalTokensPerSecond = (prompt + completion) / seconds,
            Goodput = goodput is null ? null : good.Count(goodput.Met) / seconds,
            TtftMs = Distribution.Of(good.Select(r => r.TimeToFirstToken * 1000)),
            ItlMs = Distribution.Of(good.SelectMany(r => r.InterTokenLatencies).Select(s => s * 1000)),
            TpotMs = Distribution.Of(good.Select(r => r.TimePerOutputToken).OfType<double>().Select(s => s * 1000)),
            E2eMs = Distribution.Of(good.Select(r => r.EndToEnd * 1000)),
        };
    }

    public string ToJson() => JsonSerializer.Serialize(this, Indented);

    public void Write(TextWriter output)
    {
        output.WriteLine(Text($"{Model}: {Requests} requests, {Failed} failed, {Seconds:F2} s"));
        foreach ((string reason, int count) in Errors) output.WriteLine(Text($"  failed {count,6}  {reason}"));
        output.WriteLine(Text($"prompt tokens {PromptTokens} (cached {CachedTokens}), completion tokens {CompletionTokens}"));
        output.WriteLine(Text($"throughput {RequestsPerSecond:F2} requests/s, {OutputTokensPerSecond:F1} output tokens/s, {TotalTokensPerSecond:F1} tokens/s in all"));
        if (Goodput is { } goodput) output.WriteLine(Text($"goodput {goodput:F2} requests/s"));
        output.WriteLine("ms          mean       p50       p90       p95       p99       max");
        foreach ((string name, Distribution d) in new[] { ("TTFT", TtftMs), ("ITL", ItlMs), ("TPOT", TpotMs), ("E2E", E2eMs) })
            output.WriteLine(Text($"{name,-5} {d.Mean,10:F2}{d.P50,10:F2}{d.P90,10:F2}{d.P95,10:F2}{d.P99,10:F2}{d.Max,10:F2}"));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
