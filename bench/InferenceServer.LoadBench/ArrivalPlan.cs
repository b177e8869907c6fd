using System.Globalization;
using System.Text.Json;

namespace InferenceServer.LoadBench;

/// <summary>When each request is sent and how long it is, fixed before the first is sent, so that a slow server cannot slow its own load.</summary>
internal static class ArrivalPlan
{
    public static IReadOnlyList<PlannedRequest> Create(BenchOptions options)
    {
        if (options.Trace is { } trace) return FromTrace(options, trace);
        Random random = new(options.Seed);
        List<PlannedRequest> plan = new(options.Requests);
        double at = 0;
        for (int i = 0; i < options.Requests; i++)
        {
            if (options.Rate is { } rate) at -= Math.Log(1 - random.NextDouble()) / rate; // Poisson: exponential gaps
            plan.Add(new PlannedRequest(i, options.Rate is null ? null : at, options.Input.Draw(random), options.Output.Draw(random), null));
        }

        return plan;
    }

    private static List<PlannedRequest> FromTrace(BenchOptions options, string file)
    {
        IEnumerable<(double At, int Input, int Output, long[]? Blocks)> rows = file.EndsWith(".jsonl", StringComparison.Ordinal) ? Mooncake(file) : Azure(file);
        List<PlannedRequest> plan = new(options.Requests);
        double? start = null;
        foreach ((double at, int input, int output, long[]? blocks) in rows.Take(options.Requests))
        {
            start ??= at;
            plan.Add(new PlannedRequest(plan.Count, (at - start.Value) / options.Speed, Math.Clamp(input, 1, options.Input.High), Math.Clamp(output, 1, options.Output.High), blocks));
        }

        if (plan.Count == 0) throw new InvalidDataException($"The trace '{file}' holds no request.");
        return plan;
    }

    /// <summary>TIMESTAMP,ContextTokens,GeneratedTokens.</summary>
    private static IEnumerable<(double, int, int, long[]?)> Azure(string file)
    {
        foreach (string line in File.ReadLines(file).Skip(1))
        {
            string[] fields = line.Split(',');
            if (fields.Length < 3 || !DateTime.TryParse(fields[0], CultureInfo.InvariantCulture, out DateTime time))
                throw new InvalidDataException($"'{line}' in '{file}' is no row TIMESTAMP,ContextTokens,GeneratedTokens.");
            yield return ((double)time.Ticks / TimeSpan.TicksPerSecond, int.Parse(fields[1], CultureInfo.InvariantCulture), int.Parse(fields[2], CultureInfo.InvariantCulture), null);
        }
    }

    /// <summary>{"timestamp" in ms, "input_length", "output_length", "hash_ids"}.</summary>
    private static IEnumerable<(double, int, int, long[]?)> Mooncake(string file)
    {
        foreach (string line in File.ReadLines(file))
        {
            JsonElement row = JsonDocument.Parse(line).RootElement;
            yield return (row.GetProperty("timestamp").GetDouble() / 1000, row.GetProperty("input_length").GetInt32(), row.GetProperty("output_length").GetInt32(),
                [.. row.GetProperty("hash_ids").EnumerateArray().Select(id => id.GetInt64())]);
        }
    }
}
