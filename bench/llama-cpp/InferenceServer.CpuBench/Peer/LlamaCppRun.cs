using System.Globalization;
using System.Text.Json;
using InferenceServer.CpuBench.Model;
using InferenceServer.CpuBench.Runs;

namespace InferenceServer.CpuBench.Peer;

/// <summary>llama.cpp's side of one case: its own benchmark in a process of its own, its own figure.</summary>
internal static class LlamaCppRun
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    /// <param name="flashAttention">"on" or "off".</param>
    public static BenchRun Measure(LlamaCppFolder peer, string file, WeightFormat format, BenchCase @case, int threads, string flashAttention)
    {
        string text = threads.ToString(CultureInfo.InvariantCulture);
        double rate = @case.Sequences == 1 ? Single(peer, file, @case, text, flashAttention) : Batched(peer, file, @case, text, flashAttention);
        return new BenchRun { Side = BenchRun.Theirs, Format = format.Name, Case = @case.Name, Flags = $"-t {text} -fa {flashAttention}", TokensPerSecond = rate };
    }

    /// <summary>The rate that llama-bench printed as a line of JSON.</summary>
    /// <exception cref="BenchException">No such line.</exception>
    public static double ParseBench(string output) => Number(output, "avg_ts", "llama-bench");

    /// <summary>The rate of generation that llama-batched-bench printed, likewise.</summary>
    public static double ParseBatched(string output) => Number(output, "speed_tg", "llama-batched-bench");

    private static double Single(LlamaCppFolder peer, string file, BenchCase @case, string threads, string flashAttention) => ParseBench(peer.Run("llama-bench", Limit,
        "-m", file, "-p", Text(@case.Output == 0 ? @case.Prompt : 0), "-n", Text(@case.Output), "-t", threads, "-r", "1", "-fa", flashAttention, "-o", "jsonl"));

    private static double Batched(LlamaCppFolder peer, string file, BenchCase @case, string threads, string flashAttention) => ParseBatched(peer.Run("llama-batched-bench", Limit,
        "-m", file, "-c", Text(@case.Sequences * (@case.Prompt + @case.Output)), "-npp", Text(@case.Prompt), "-ntg", Text(@case.Output), "-npl", Text(@case.Sequences),
        "-t", threads, "-tb", threads, "-fa", flashAttention, "--output-format", "jsonl"));

    private static double Number(string output, string field, string program)
    {
        foreach (string line in output.Split('\n', StringSplitOptions.TrimEntries).Where(l => l.StartsWith('{')))
        {
            try
            {
                using JsonDocument json = JsonDocument.Parse(line);
                if (json.RootElement.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.Number) return value.GetDouble();
            }
            catch (JsonException e)
            {
                throw new BenchException($"{program} printed a line that is no JSON ({e.Message}): {line}");
            }
        }

        throw new BenchException($"{program} printed no '{field}'; it printed: {output.Trim()}");
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
