using System.Globalization;
using System.Text;
using InferenceServer.CpuBench.Model;
using InferenceServer.CpuBench.Runs;
using InferenceServer.CpuBench.Servers;

namespace InferenceServer.CpuBench.Reports;

/// <summary>What a file of runs says: ratios of medians, then where ours stand to the machine's memory.</summary>
internal sealed class RunTable(IReadOnlyList<BenchRun> runs)
{
    private const long AllowedOverhead = 200_000_000; // beside weights and KV pool

    public string Write()
    {
        StringBuilder text = new();
        if (runs.Any(r => BenchCase.All.Any(c => c.Name == r.Case)))
        {
            WriteRatios(text);
            WriteRates(text);
        }

        WriteBandwidth(text);
        WriteMemory(text);
        WriteHttp(text);
        WriteInterference(text);
        return text.ToString();
    }

    /// <summary>Ours over theirs, medians of both; null where a side is missing.</summary>
    public double? Ratio(string format, string @case) => MedianOf(BenchRun.Ours, format, @case) / MedianOf(BenchRun.Theirs, format, @case);

    private IEnumerable<WeightFormat> Formats => WeightFormat.All.Where(f => runs.Any(r => r.Format == f.Name));

    private double? MedianOf(string side, string format, string @case) => Median.Of(Select(side, format, @case).Select(r => r.TokensPerSecond));

    private IEnumerable<BenchRun> Select(string side, string format, string @case) => runs.Where(r => r.Side == side && r.Format == format && r.Case == @case);

    private void WriteRatios(StringBuilder text)
    {
        text.AppendLine("Ours over llama.cpp's, medians of tokens/s:").AppendLine();
        Row(text, ["", .. BenchCase.All.Select(c => c.Title)]);
        Row(text, ["---", .. BenchCase.All.Select(_ => "---:")]);
        foreach (WeightFormat format in Formats) Row(text, [format.PeerName, .. BenchCase.All.Select(c => Text(Ratio(format.Name, c.Name), "F2"))]);
        text.AppendLine();
    }

    private void WriteRates(StringBuilder text)
    {
        Row(text, ["format", "case", "ours: median (lowest-highest)", "llama.cpp: median (lowest-highest)", "rounds", "llama.cpp's flags"]);
        Row(text, ["---", "---", "---:", "---:", "---:", "---"]);
        foreach (WeightFormat format in Formats)
        {
            foreach (BenchCase @case in BenchCase.All)
            {
                List<BenchRun> ours = [.. Select(BenchRun.Ours, format.Name, @case.Name)], theirs = [.. Select(BenchRun.Theirs, format.Name, @case.Name)];
                if (ours.Count + theirs.Count == 0) continue;
                Row(text, [format.PeerName, @case.Title, Spread(ours), Spread(theirs), $"{ours.Count}, {theirs.Count}", string.Join("; ", theirs.Select(r => r.Flags).Distinct())]);
            }
        }

        text.AppendLine();
    }

    private void WriteBandwidth(StringBuilder text)
    {
        List<BenchRun> measured = [.. runs.Where(r => r is { Side: BenchRun.Ours, WeightBytesRead: not null, ReadBytesPerSecond: not null })];
        if (measured.Count == 0) return;
        text.AppendLine("Weights that our batch-1 decode reads, and what a plain read of memory by as many threads reached beside the same run; medians:").AppendLine();
        Row(text, ["", "decode GB/s", "plain read GB/s", "share"]);
        Row(text, ["---", "---:", "---:", "---:"]);
        foreach (WeightFormat format in Formats)
        {
            List<(double Rate, double Read)> rates = [.. measured.Where(r => r.Format == format.Name).Select(r => (r.TokensPerSecond * r.WeightBytesRead!.Value, r.ReadBytesPerSecond!.Value))];
            if (rates.Count == 0) continue;
            Row(text, [format.PeerName, Text(Median.Of(rates.Select(r => r.Rate * 1e-9)), "F1"), Text(Median.Of(rates.Select(r => r.Read * 1e-9)), "F1"), Text(Median.Of(rates.Select(r => r.Rate / r.Read)), "P0")]);
        }

        text.AppendLine();
    }

    private void WriteMemory(StringBuilder text)
    {
        List<(WeightFormat Format, List<BenchRun> Runs)> measured = [.. Formats.Select(f => (f, runs.Where(r => r.Format == f.Name && r.PeakBytes is not null && r.WeightBytes is not null).ToList())).Where(m => m.Item2.Count > 0)];
        if (measured.Count == 0) return;
        text.AppendLine("Our process; the limit is weights + KV pool + 200 MB:").AppendLine();
        Row(text, ["", "load s", "weights MB", "KV pool MB", "steady MB", "peak MB", "limit MB", "steady within"]);
        Row(text, ["---", .. Enumerable.Repeat("---:", 7)]);
        foreach ((WeightFormat format, List<BenchRun> all) in measured)
        {
            double weights = all[0].WeightBytes!.Value, kv = all[0].KvBytes!.Value, limit = weights + kv + AllowedOverhead;
            double steady = all.Max(r => r.SteadyBytes!.Value), peak = all.Max(r => r.PeakBytes!.Value);
            Row(text, [format.PeerName, Text(Median.Of(all.Select(r => r.LoadSeconds!.Value)), "F2"), Megabytes(weights), Megabytes(kv), Megabytes(steady), Megabytes(peak), Megabytes(limit), steady <= limit ? "yes" : "no"]);
        }

        text.AppendLine();
    }

    private void WriteHttp(StringBuilder text)
    {
        List<WeightFormat> measured = [.. Formats.Where(f => runs.Any(r => r.Format == f.Name && r.Case == HttpComparison.Case))];
        if (measured.Count == 0) return;
        text.AppendLine($"Through HTTP: {HttpComparison.Callers} callers, {HttpComparison.Input} tokens in, the first {HttpComparison.Shared} of all alike, {HttpComparison.Output} out; medians:").AppendLine();
        Row(text, ["", "ours, tokens/s", "llama-server, tokens/s", "ratio", "ours, TTFT p95 ms", "llama-server, TTFT p95 ms", "ratio", "rounds", "llama-server's flags"]);
        Row(text, ["---", .. Enumerable.Repeat("---:", 7), "---"]);
        foreach (WeightFormat format in measured)
        {
            List<BenchRun> ours = [.. Select(BenchRun.Ours, format.Name, HttpComparison.Case)], theirs = [.. Select(BenchRun.Theirs, format.Name, HttpComparison.Case)];
            double? ourRate = Median.Of(ours.Select(r => r.TokensPerSecond)), theirRate = Median.Of(theirs.Select(r => r.TokensPerSecond));
            double? ourWait = Median.Of(ours.Select(r => r.TtftP95Ms ?? 0)), theirWait = Median.Of(theirs.Select(r => r.TtftP95Ms ?? 0));
            Row(text,
            [
                format.PeerName, Text(ourRate, "F1"), Text(theirRate, "F1"), Text(ourRate / theirRate, "F2"), Text(ourWait, "F0"), Text(theirWait, "F0"), Text(ourWait / theirWait, "F2"),
                $"{ours.Count}, {theirs.Count}", string.Join("; ", theirs.Select(r => r.Flags).Distinct()),
            ]);
        }

        text.AppendLine();
    }

    private void WriteInterference(StringBuilder text)
    {
        List<WeightFormat> measured = [.. Formats.Where(f => runs.Any(r => r.Format == f.Name && r.Case == Interference.BesideCase))];
        if (measured.Count == 0) return;
        text.AppendLine($"{Interference.Streams} streams of our server, and a prompt of {Interference.LongPrompt} tokens arriving beside them; medians:").AppendLine();
        Row(text, ["", "ITL p99 alone, ms", "ITL p99 beside, ms", "ratio", "tokens/s alone", "tokens/s beside", "the prompt's TTFT, ms", "rounds", "server's flags"]);
        Row(text, ["---", .. Enumerable.Repeat("---:", 7), "---"]);
        foreach (WeightFormat format in measured)
        {
            List<BenchRun> alone = [.. Select(BenchRun.Ours, format.Name, Interference.AloneCase)], beside = [.. Select(BenchRun.Ours, format.Name, Interference.BesideCase)];
            double? before = Median.Of(alone.Select(r => r.ItlP99Ms ?? 0)), with = Median.Of(beside.Select(r => r.ItlP99Ms ?? 0));
            Row(text,
            [
                format.PeerName, Text(before, "F1"), Text(with, "F1"), Text(with / before, "F2"), Text(Median.Of(alone.Select(r => r.TokensPerSecond)), "F1"),
                Text(Median.Of(beside.Select(r => r.TokensPerSecond)), "F1"), Text(Median.Of(beside.Select(r => r.TtftP95Ms ?? 0)), "F0"), $"{beside.Count}",
                string.Join("; ", beside.Select(r => r.Flags).Distinct()),
            ]);
        }

        text.AppendLine();
    }

    private static string Spread(List<BenchRun> all) => all.Count == 0 ? "-"
        : $"{Text(Median.Of(all.Select(r => r.TokensPerSecond)), "F1")} ({Text(all.Min(r => r.TokensPerSecond), "F1")}-{Text(all.Max(r => r.TokensPerSecond), "F1")})";

    private static string Megabytes(double bytes) => Text(bytes * 1e-6, "F0");

    private static string Text(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    private static void Row(StringBuilder text, IEnumerable<string> cells) => text.AppendLine("| " + string.Join(" | ", cells) + " |");
}
