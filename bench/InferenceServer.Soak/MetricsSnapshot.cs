using System.Globalization;

namespace InferenceServer.Soak;

/// <summary>Samples of one scrape of /metrics, summed over their labels.</summary>
internal sealed class MetricsSnapshot
{
    private readonly Dictionary<string, double> _sums = new(StringComparer.Ordinal);

    /// <summary>Null when the server exports no such metric.</summary>
    public double? this[string name] => _sums.TryGetValue(name, out double value) ? value : null;

    public double? Running => this["vllm:num_requests_running"];

    public double? Waiting => this["vllm:num_requests_waiting"];

    /// <summary>Share of the KV blocks that are held by somebody, 0 to 1.</summary>
    public double? KvUsage => this["vllm:kv_cache_usage_perc"];

    public bool Idle => Running == 0 && Waiting == 0 && KvUsage == 0;

    public static MetricsSnapshot Parse(string text)
    {
        MetricsSnapshot snapshot = new();
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] == '#') continue;
            int name = line.IndexOfAny(['{', ' ']), value = line.LastIndexOf(' ');
            if (name <= 0 || !double.TryParse(line.AsSpan(value + 1), CultureInfo.InvariantCulture, out double number)) continue;
            string key = line[..name];
            snapshot._sums[key] = snapshot._sums.GetValueOrDefault(key) + number;
        }

        return snapshot;
    }
}
