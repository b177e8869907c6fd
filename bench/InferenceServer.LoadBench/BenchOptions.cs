namespace InferenceServer.LoadBench;

/// <summary>One measurement, as asked for on the command line. Immutable.</summary>
internal sealed record BenchOptions
{
    public required Uri Url { get; init; }

    /// <summary>Null asks the server's /v1/models for its first.</summary>
    public string? Model { get; init; }

    public string? ApiKey { get; init; }

    public bool Chat { get; init; }

    /// <summary>A connection for each request: some servers close a kept one just when the next request is under way on it.</summary>
    public bool Reconnect { get; init; }

    public int Requests { get; init; } = 100;

    /// <summary>Requests in flight at most; with <see cref="Rate"/> or a trace, a cap on what piles up.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>Requests a second, Poisson; null sends as soon as a place is free.</summary>
    public double? Rate { get; init; }

    /// <summary>A trace whose arrivals and lengths are replayed.</summary>
    public string? Trace { get; init; }

    /// <summary>Replays a trace this many times faster.</summary>
    public double Speed { get; init; } = 1;

    public LengthRange Input { get; init; } = new(64, 64);

    public LengthRange Output { get; init; } = new(32, 32);

    /// <summary>Prompt tokens that all requests share.</summary>
    public int SharedPrefix { get; init; }

    public double Temperature { get; init; }

    public bool IgnoreEndOfSequence { get; init; } = true;

    /// <summary>Not counted: they warm caches and the JIT.</summary>
    public int Warmup { get; init; } = 4;

    public GoodputTargets? Goodput { get; init; }

    public string? JsonFile { get; init; }

    public int Seed { get; init; } = 1;

    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>A length drawn evenly from [Low, High] tokens.</summary>
internal readonly record struct LengthRange(int Low, int High)
{
    public int Draw(Random random) => random.Next(Low, High + 1);

    /// <summary>"128" or "64-512".</summary>
    public static LengthRange Parse(string text)
    {
        string[] parts = text.Split('-');
        if (parts.Length is 1 or 2 && int.TryParse(parts[0], out int low) && int.TryParse(parts[^1], out int high) && low > 0 && high >= low)
            return new LengthRange(low, high);
        throw new FormatException($"'{text}' is no length; write 128 or 64-512.");
    }
}

/// <summary>A request counts as good when it met every target that is set. Seconds.</summary>
internal sealed record GoodputTargets(double? TimeToFirstToken, double? TimePerOutputToken, double? EndToEnd)
{
    /// <summary>"ttft:500,tpot:50,e2e:10000" in milliseconds.</summary>
    public static GoodputTargets Parse(string text)
    {
        Dictionary<string, double> targets = [];
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] pair = part.Split(':');
            if (pair.Length != 2 || pair[0] is not ("ttft" or "tpot" or "e2e") || !double.TryParse(pair[1], System.Globalization.CultureInfo.InvariantCulture, out double ms))
                throw new FormatException($"'{part}' is no goodput target; write ttft:MS, tpot:MS or e2e:MS, separated by commas.");
            targets[pair[0]] = ms / 1000;
        }

        double? Target(string name) => targets.TryGetValue(name, out double value) ? value : null;
        return new GoodputTargets(Target("ttft"), Target("tpot"), Target("e2e"));
    }

    public bool Met(RequestRecord record) => record.Succeeded
        && (TimeToFirstToken is not { } first || record.TimeToFirstToken <= first)
        && (TimePerOutputToken is not { } perToken || (record.TimePerOutputToken ?? 0) <= perToken)
        && (EndToEnd is not { } total || record.EndToEnd <= total);
}
