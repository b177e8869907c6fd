using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace InferenceServer.Soak;

/// <summary>The figures of one storm, and what they mean: text for people, JSON for scripts.</summary>
internal sealed record SoakReport
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public required string Command { get; init; }

    public string? ServerArguments { get; init; }

    public required string BadInputs { get; init; }

    public required bool Passed { get; init; }

    /// <summary>Each a sentence; empty when it passed.</summary>
    public required IReadOnlyList<string> Failures { get; init; }

    public required int Requests { get; init; }

    public required double Seconds { get; init; }

    public required double RequestsPerSecond { get; init; }

    public required IReadOnlyDictionary<string, int> ByKind { get; init; }

    public required IReadOnlyDictionary<string, int> ByStatus { get; init; }

    public required int SentinelsCompared { get; init; }

    public required int Violations { get; init; }

    public required IReadOnlyDictionary<string, int> ViolationsByKind { get; init; }

    public required IReadOnlyCollection<string> FirstViolations { get; init; }

    public required IReadOnlyList<string> ServerErrors { get; init; }

    /// <summary>How long until nothing ran, waited or held a block; null: never.</summary>
    public double? IdleAfterSeconds { get; init; }

    public double? RunningAtEnd { get; init; }

    public double? WaitingAtEnd { get; init; }

    public double? KvUsageAtEnd { get; init; }

    public double? Preemptions { get; init; }

    public double? GeneratedTokens { get; init; }

    /// <summary>After SIGTERM.</summary>
    public int? ExitCode { get; init; }

    public double? RssAfterTenthMb { get; init; }

    public double? RssAtEndMb { get; init; }

    /// <summary>Median over the second tenth of the requests: warm, and not yet long.</summary>
    public double? RssSecondTenthMb { get; init; }

    /// <summary>Median over the last tenth. The two are what is judged.</summary>
    public double? RssLastTenthMb { get; init; }

    public double? RssPeakMb { get; init; }

    public double? RssSlopeMbPerHour { get; init; }

    /// <summary>The managed heap after its last collection, garbage that waits for a full one included.</summary>
    public double? HeapAtEndMb { get; init; }

    public IReadOnlyList<double>? RssCurveMb { get; init; }

    public static SoakReport From(SoakOptions options, ServerProcess? server, Ledger ledger, Sentinels sentinels, MemoryWatch? memory,
        string badInputs, double seconds, bool alive, MetricsSnapshot? metrics, double? idleAfter, int? exitCode)
    {
        int tenth = options.Requests / 10;
        SoakReport report = new()
        {
            Command = options.Command,
            ServerArguments = server?.Arguments,
            BadInputs = badInputs,
            Passed = false,
            Failures = [],
            Requests = ledger.Done,
            Seconds = Math.Round(seconds, 1),
            RequestsPerSecond = Math.Round(ledger.Done / seconds, 1),
            ByKind = ledger.Sent,
            ByStatus = ledger.Statuses,
            SentinelsCompared = sentinels.Compared,
            Violations = ledger.Violations,
            ViolationsByKind = ledger.ViolationsByKind,
            FirstViolations = ledger.FirstViolations,
            ServerErrors = server?.FirstErrors ?? [],
            IdleAfterSeconds = idleAfter is { } idle ? Math.Round(idle, 1) : null,
            RunningAtEnd = metrics?.Running,
            WaitingAtEnd = metrics?.Waiting,
            KvUsageAtEnd = metrics?.KvUsage,
            Preemptions = metrics?["vllm:num_preemptions_total"],
            GeneratedTokens = metrics?["vllm:generation_tokens_total"],
            ExitCode = exitCode,
            RssAfterTenthMb = Rounded(memory?.AfterMb(tenth)),
            RssAtEndMb = Rounded(memory?.LatestMb),
            RssSecondTenthMb = Rounded(memory?.MedianMb(tenth, 2 * tenth)),
            RssLastTenthMb = Rounded(memory?.MedianMb(9 * tenth, options.Requests)),
            RssPeakMb = Rounded(memory?.PeakMb),
            RssSlopeMbPerHour = Rounded(memory?.SlopeMbPerHour(tenth)),
            HeapAtEndMb = Rounded(metrics?["dotnet_gc_last_collection_heap_size_bytes"] / (1 << 20)),
            RssCurveMb = memory?.Curve(60),
        };
        List<string> failures = [.. report.Judge(alive, server)];
        return report with { Failures = failures, Passed = failures.Count == 0 };
    }

    public string ToJson() => JsonSerializer.Serialize(this, Indented);

    public void Write(TextWriter output)
    {
        output.WriteLine();
        output.WriteLine(Text($"{Requests} requests in {Seconds:F1} s, {RequestsPerSecond:F0}/s; {GeneratedTokens} tokens generated, {Preemptions} preemptions"));
        output.WriteLine("by kind    " + string.Join(", ", ByKind.Select(k => $"{k.Key} {k.Value}")));
        output.WriteLine("by status  " + string.Join(", ", ByStatus.Select(k => $"{k.Key}: {k.Value}")));
        output.WriteLine(Text($"sentinels  {SentinelsCompared} compared with what was answered alone"));
        output.WriteLine(Text($"at the end running {RunningAtEnd}, waiting {WaitingAtEnd}, KV usage {KvUsageAtEnd}, idle after {IdleAfterSeconds} s, exit code after SIGTERM {ExitCode}"));
        output.WriteLine(Text($"RSS        median {RssSecondTenthMb} MB over the second tenth, {RssLastTenthMb} MB over the last; {RssAfterTenthMb} MB after a tenth, {RssAtEndMb} MB at the end, peak {RssPeakMb} MB, slope {RssSlopeMbPerHour} MB/h, managed heap {HeapAtEndMb} MB"));
        foreach (string violation in FirstViolations) output.WriteLine("  violation  " + violation);
        foreach (string error in ServerErrors) output.WriteLine("  server     " + error);
        foreach (string failure in Failures) output.WriteLine("FAILED: " + failure);
        if (Passed) output.WriteLine("passed: no crash, no leaked block, no wrong neighbour, " + (RssAtEndMb is null ? "memory not watched (a server of --url)" : "memory flat"));
    }

    private IEnumerable<string> Judge(bool alive, ServerProcess? server)
    {
        if (!alive) yield return "the server died";
        if (Violations > 0) yield return $"{Violations} answers were not what they must be: {string.Join(", ", ViolationsByKind.Select(v => $"{v.Key} {v.Value}"))}";
        if (SentinelsCompared == 0) yield return "no sentinel was compared";
        if (alive && IdleAfterSeconds is null) yield return $"the server did not become idle: running {RunningAtEnd}, waiting {WaitingAtEnd}, KV usage {KvUsageAtEnd}";
        if (server is { ErrorLines: > 0 }) yield return $"the server logged {server.ErrorLines} errors";
        if (server is not null && alive && ExitCode != 0) yield return $"after SIGTERM the server ended with {ExitCode?.ToString(CultureInfo.InvariantCulture) ?? "nothing: it had to be killed"}";
        // A heap and a block pool settle within the first tenth; a quarter and 32 MB more is beyond what collections move.
        if (RssLastTenthMb > RssSecondTenthMb * 1.25 + 32) yield return $"memory grew from {RssSecondTenthMb} to {RssLastTenthMb} MB";
    }

    private static double? Rounded(double? value) => value is { } number ? Math.Round(number, 1) : null;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
