using System.Text;
using System.Text.Json;

namespace InferenceServer.GpuBench.Reports;

/// <summary>Rows of one name, with the columns in the order in which they first came.</summary>
internal sealed class SnapshotTable(string name)
{
    private readonly List<string> _columns = [];
    private readonly List<IReadOnlyDictionary<string, JsonElement>> _rows = [];

    public string Name { get; } = name;

    public IReadOnlyList<IReadOnlyDictionary<string, JsonElement>> Rows => _rows;

    public void Add(JsonElement line)
    {
        Dictionary<string, JsonElement> row = [];
        foreach (JsonProperty field in line.EnumerateObject().Where(f => f.Name != "table"))
        {
            row[field.Name] = field.Value;
            if (!_columns.Contains(field.Name)) _columns.Add(field.Name);
        }

        _rows.Add(row);
    }

    /// <summary>Puts the same case by this engine and by each peer one below another.</summary>
    public void Sort(string text, params IReadOnlyList<string> numbers)
    {
        IOrderedEnumerable<IReadOnlyDictionary<string, JsonElement>> sorted = _rows.OrderBy(r => r.TryGetValue(text, out JsonElement value) ? value.ToString() : "", StringComparer.Ordinal);
        foreach (string number in numbers) sorted = sorted.ThenBy(r => Number(r, number));
        IReadOnlyDictionary<string, JsonElement>[] rows = [.. sorted];
        _rows.Clear();
        _rows.AddRange(rows);
    }

    public void WriteMarkdown(StringBuilder text)
    {
        text.Append("\n## ").Append(Name).Append("\n\n");
        text.Append("| ").AppendJoin(" | ", _columns).Append(" |\n|").Append(string.Concat(Enumerable.Repeat("---|", _columns.Count))).Append('\n');
        foreach (IReadOnlyDictionary<string, JsonElement> row in _rows)
            text.Append("| ").AppendJoin(" | ", _columns.Select(c => row.TryGetValue(c, out JsonElement value) ? Shown(value) : "")).Append(" |\n");
    }

    public static string Shown(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => "yes",
        JsonValueKind.False => "no",
        JsonValueKind.Null => "-",
        _ => value.ToString().Replace("|", "\\|", StringComparison.Ordinal),
    };

    /// <summary>NaN if the row has no such number.</summary>
    public static double Number(IReadOnlyDictionary<string, JsonElement> row, string column) =>
        row.TryGetValue(column, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : double.NaN;
}
