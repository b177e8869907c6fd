using System.Text.Json;

namespace InferenceServer.GpuBench.Shapes;

/// <summary>The floor of this card from what the probes of this run wrote, and an H200's where they wrote nothing.</summary>
internal static class FloorReader
{
    public const string BandwidthTable = "bandwidth";
    public const string BandwidthColumn = "GB/s";
    public const string ProductTable = "products";

    public const string PeerProductTable = "products by PyTorch";

    /// <summary>Columns of both in TFLOP/s, whoever computed.</summary>
    public static readonly string[] RateColumns = ["ours TFLOP/s", "cuBLASLt TFLOP/s", "TFLOP/s"];

    /// <param name="results">results.jsonl; null or missing: nothing was measured.</param>
    public static (Floor Floor, bool Measured) Read(string? results)
    {
        double bytes = 0, flops = 0;
        if (results is not null && File.Exists(results))
            foreach (string line in File.ReadLines(results).Where(l => l.EndsWith('}')))
            {
                JsonElement row = JsonSerializer.Deserialize<JsonElement>(line);
                string? table = row.GetProperty("table").GetString();
                if (table == BandwidthTable && row.GetProperty("on device").GetBoolean()) bytes = Math.Max(bytes, Number(row, BandwidthColumn) * 1e9);
                if (table is ProductTable or PeerProductTable)
                    foreach (string column in RateColumns) flops = Math.Max(flops, Number(row, column) * 1e12);
            }

        return (new Floor(bytes > 0 ? bytes : Floor.H200.BytesPerSecond, flops > 0 ? flops : Floor.H200.FlopsPerSecond), bytes > 0 && flops > 0);
    }

    private static double Number(JsonElement row, string column) => row.TryGetProperty(column, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : 0;
}
