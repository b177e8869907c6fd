using System.Text;
using System.Text.Json;

namespace InferenceServer.GpuBench.Reports;

/// <summary>
/// The lines of a run, results.jsonl and steps.jsonl, as summary.md for people and summary.json for programs. A table is whatever lines share a name:
/// a new measurement needs nothing here.
/// </summary>
internal sealed class Snapshot
{
    /// <summary>Long tables of detail, after what a reader wants first.</summary>
    private static readonly string[] Details = ["kernels by ptxas", "kernels by nvcc", "kernel against its twin"];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly List<SnapshotTable> _tables = [];
    private readonly SnapshotTable _steps = new("steps");
    private string _environment = "";

    /// <param name="folder">With results.jsonl, steps.jsonl and environment.txt; what is missing is empty.</param>
    public static Snapshot Read(string folder)
    {
        Snapshot snapshot = new();
        foreach (JsonElement line in Lines(Path.Combine(folder, "results.jsonl")))
        {
            string name = line.GetProperty("table").GetString()!;
            SnapshotTable? table = snapshot._tables.Find(t => t.Name == name);
            if (table is null) snapshot._tables.Add(table = new SnapshotTable(name));
            table.Add(line);
        }

        foreach (JsonElement line in Lines(Path.Combine(folder, "steps.jsonl"))) snapshot._steps.Add(line);
        string environment = Path.Combine(folder, "environment.txt");
        if (File.Exists(environment)) snapshot._environment = File.ReadAllText(environment);
        snapshot.Find(PeerComparison.Decode)?.Sort("model", "context", "batch");
        snapshot.Find("prompt")?.Sort("model", "prompt");
        if (PeerComparison.Of(snapshot.Find(PeerComparison.Decode)) is { } comparison) snapshot._tables.Insert(0, comparison);
        return snapshot;
    }

    public void Write(string folder)
    {
        File.WriteAllText(Path.Combine(folder, "summary.md"), ToMarkdown());
        File.WriteAllText(Path.Combine(folder, "summary.json"), ToJson());
    }

    public string ToMarkdown()
    {
        StringBuilder text = new("# First minutes on a real GPU\n\nMade by `bench/gpu/run.sh`. Times are medians unless a column says otherwise; floors are computed from this run's own bandwidth where it was measured.\n");
        _steps.WriteMarkdown(text);
        foreach (SnapshotTable table in _tables.OrderBy(t => Array.IndexOf(Details, t.Name) >= 0)) table.WriteMarkdown(text);
        if (_environment.Length > 0) text.Append("\n## environment\n\n```\n").Append(_environment.TrimEnd()).Append("\n```\n");
        return text.ToString();
    }

    public string ToJson() => JsonSerializer.Serialize(
        new Dictionary<string, object>
        {
            ["environment"] = _environment.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            ["steps"] = _steps.Rows,
            ["tables"] = _tables.ToDictionary(t => t.Name, t => t.Rows),
        },
        Indented);

    private SnapshotTable? Find(string name) => _tables.Find(t => t.Name == name);

    /// <summary>A line cut short by a time limit is passed over; it is the last of its program.</summary>
    private static IEnumerable<JsonElement> Lines(string path)
    {
        if (!File.Exists(path)) yield break;
        foreach (string line in File.ReadLines(path))
        {
            JsonElement element;
            try
            {
                element = JsonSerializer.Deserialize<JsonElement>(line);
            }
            catch (JsonException)
            {
                continue; // see above
            }

            if (element.ValueKind == JsonValueKind.Object) yield return element;
        }
    }
}
