using System.Text.Json;
using InferenceServer.GpuBench;
using InferenceServer.GpuBench.Reports;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.Cuda.Tests.Bench;

/// <summary>Lines to a snapshot, and the arithmetic of floors.</summary>
public sealed class SnapshotTests : IDisposable
{
    private readonly string _folder = GpuBenchFiles.NewFolder();

    [Fact]
    public void Lines_of_one_table_become_rows_and_a_line_cut_short_is_passed_over()
    {
        WriteResults(
            """{"table":"bandwidth","what":"read","on device":true,"GB/s":4200.5}""",
            """{"table":"bandwidth","what":"upload","on device":false,"GB/s":55,"note":"a|b"}""",
            """{"table":"bandwidth","what":"cop""");
        string text = Snapshot.Read(_folder).ToMarkdown();
        Assert.Contains("## bandwidth\n\n| what | on device | GB/s | note |\n|---|---|---|---|\n| read | yes | 4200.5 |  |\n| upload | no | 55 | a\\|b |\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("cop |", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_is_set_beside_the_fastest_peer_of_the_same_case()
    {
        WriteResults(
            """{"table":"decode","engine":"transformers, static","model":"m","batch":8,"context":1024,"ms_a_step":20,"tokens_per_s":400}""",
            """{"table":"decode","engine":"this engine","model":"m","batch":8,"context":1024,"ms_a_step":5,"tokens_per_s":1600}""",
            """{"table":"decode","engine":"transformers, continuous","model":"m","batch":8,"context":1024,"ms_a_step":10,"tokens_per_s":800}""",
            """{"table":"decode","engine":"this engine","model":"m","batch":1,"context":1024,"ms_a_step":4,"tokens_per_s":250}""");
        Snapshot snapshot = Snapshot.Read(_folder);
        Assert.Contains("| m | 8 | 1024 | 1600 | transformers, continuous | 800 | 2 |\n", snapshot.ToMarkdown(), StringComparison.Ordinal);
        JsonElement tables = JsonSerializer.Deserialize<JsonElement>(snapshot.ToJson()).GetProperty("tables");
        Assert.Equal(1, tables.GetProperty("decode beside the fastest peer").GetArrayLength());
        Assert.Equal([1, 8, 8, 8], tables.GetProperty("decode").EnumerateArray().Select(r => r.GetProperty("batch").GetInt32()));
    }

    [Fact]
    public void A_measurement_that_throws_is_a_line_and_the_next_one_goes_on()
    {
        StringWriter echo = new();
        using ResultLog log = new(Path.Combine(_folder, "results.jsonl"), echo);
        Assert.False(log.Try("a probe", () => throw new InvalidOperationException("no\nluck")));
        log.Write("t", ("number", 1234.5678), ("small", 0.00012345678), ("nothing", double.NaN));
        string text = Snapshot.Read(_folder).ToMarkdown();
        Assert.Contains("| this engine | a probe | InvalidOperationException: no luck |", text, StringComparison.Ordinal);
        Assert.Contains("| 1235 | 0.0001235 | - |", text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_8B_step_has_the_floors_that_the_card_allows()
    {
        // 7.504 G parameters and 128 KiB of keys and values a token, at 4.3 TB/s.
        Assert.Equal(7_504_658_432, ModelShape.Llama8B.StreamedParameters);
        Assert.Equal(8_029_995_008, ModelShape.Llama8B.StoredParameters);
        Assert.Equal(128 << 10, ModelShape.Llama8B.KvBytesPerToken);
        Assert.Equal(3.52e-3, Floor.H200.Seconds(ModelShape.Llama8B, 1, 1024), 2e-5);
        Assert.Equal(5.49e-3, Floor.H200.Seconds(ModelShape.Llama8B, 64, 64 * 1024), 2e-5);
        Assert.Equal(2.0 * 7_504_658_432 * 8192 / 780e12, Floor.H200.Seconds(ModelShape.Llama8B, 8192, 8192), 1e-6);
        Assert.Equal(1_235_746_816, ModelShape.Llama1B.StoredParameters);
    }

    [Fact]
    public void The_floor_is_the_cards_own_once_both_probes_ran()
    {
        WriteResults(
            """{"table":"bandwidth","what":"read","on device":true,"GB/s":4000}""",
            """{"table":"bandwidth","what":"from page-locked host memory","on device":false,"GB/s":9000}""",
            """{"table":"products","shape":"qkv","rows":2048,"ours TFLOP/s":300,"cuBLASLt TFLOP/s":650}""",
            """{"table":"products by PyTorch","engine":"PyTorch","product":"qkv","rows":2048,"TFLOP/s":700}""",
            """{"table":"products","sha""");
        Assert.Equal((new Floor(4e12, 7e14), true), FloorReader.Read(Path.Combine(_folder, "results.jsonl")));
        Assert.Equal((Floor.H200, false), FloorReader.Read(null));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void WriteResults(params ReadOnlySpan<string> lines) => File.WriteAllText(Path.Combine(_folder, "results.jsonl"), string.Join('\n', lines.ToArray()) + "\n");
}
