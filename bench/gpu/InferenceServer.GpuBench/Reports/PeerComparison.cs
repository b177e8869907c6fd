using System.Text.Json;

namespace InferenceServer.GpuBench.Reports;

/// <summary>This engine's decode steps beside the fastest peer's of the same model, batch and context.</summary>
internal static class PeerComparison
{
    public const string Decode = "decode";

    private const string Ours = "this engine";

    /// <summary>Null if one side is missing everywhere.</summary>
    public static SnapshotTable? Of(SnapshotTable? decode)
    {
        if (decode is null) return null;
        SnapshotTable table = new("decode beside the fastest peer");
        foreach (var group in decode.Rows.Where(r => r.ContainsKey("tokens_per_s")).GroupBy(r => (r["model"].GetString(), SnapshotTable.Number(r, "batch"), SnapshotTable.Number(r, "context"))))
        {
            var ours = group.Where(r => Engine(r) == Ours).MaxBy(r => SnapshotTable.Number(r, "tokens_per_s"));
            var peer = group.Where(r => Engine(r) != Ours).MaxBy(r => SnapshotTable.Number(r, "tokens_per_s"));
            if (ours is null || peer is null) continue;
            table.Add(JsonSerializer.SerializeToElement(new Dictionary<string, object?>
            {
                ["model"] = group.Key.Item1,
                ["batch"] = group.Key.Item2,
                ["context"] = group.Key.Item3,
                ["tokens_per_s"] = SnapshotTable.Number(ours, "tokens_per_s"),
                ["peer"] = Engine(peer),
                ["peer_tokens_per_s"] = SnapshotTable.Number(peer, "tokens_per_s"),
                ["times"] = Math.Round(SnapshotTable.Number(ours, "tokens_per_s") / SnapshotTable.Number(peer, "tokens_per_s"), 2),
            }));
        }

        return table.Rows.Count == 0 ? null : table;
    }

    private static string? Engine(IReadOnlyDictionary<string, JsonElement> row) => row.TryGetValue("engine", out JsonElement engine) ? engine.GetString() : null;
}
