using System.Text.Json;

namespace InferenceServer.Cuda.Tests.Bench;

/// <summary>The scripts of bench/gpu, as far as a machine without a GPU can run them.</summary>
public sealed class ScriptTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = GpuBenchFiles.NewFolder();

    [Fact]
    public void Scripts_are_clean()
    {
        GpuBenchFiles.Require("shellcheck");
        string[] scripts = [.. Directory.GetFiles(GpuBenchFiles.Scripts, "*.sh"), .. Directory.GetFiles(GpuBenchFiles.Tools)];
        (int status, string text) = GpuBenchFiles.Run("shellcheck", scripts);
        Assert.True(status == 0, text);
    }

    [Fact]
    public void The_peers_script_compiles_and_says_what_is_missing()
    {
        GpuBenchFiles.Require("python3");
        string results = Path.Combine(_folder, "results.jsonl");
        (int status, string text) = GpuBenchFiles.Run("python3", ["-B", "bench/gpu/peers.py", "--peer", "static", "--json", results]);
        if (status == 0) Assert.Skip("PyTorch, transformers and a GPU are here: the script ran.");
        Assert.True(status == 3, text);
        Assert.Contains("\"table\": \"not measured\"", File.ReadAllText(results), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("continuous", "transformers, continuous, 1 1 prompt; decode 1 decode 3")]
    [InlineData("static", "transformers, static, 0 1 prompt; decode 1 decode 3")]
    [InlineData("compiled", "transformers, compiled, 0 0 prompt; decode 1 decode 3")]
    [InlineData("products", "PyTorch, 1 0 prompt; ")]
    public void The_peers_script_measures_every_batch_and_records_what_fails(string peer, string expected)
    {
        GpuBenchFiles.Require("python3");
        string results = Path.Combine(_folder, "results.jsonl");
        (int status, string text) = GpuBenchFiles.Run("python3", ["-B", "bench/gpu/peers.py", "--peer", peer, "--tiny", "--json", results], ("PYTHONPATH", GpuBenchFiles.Python));
        Assert.True(status == 0, text);
        JsonElement[] lines = [.. File.ReadLines(results).Select(l => JsonSerializer.Deserialize<JsonElement>(l))];
        int Count(string table) => lines.Count(l => l.GetProperty("table").GetString() == table);
        string decoded = string.Join(' ', lines.Where(l => l.GetProperty("table").GetString() == "decode").Select(l => l.GetProperty("batch").GetInt32()).Order().Select(b => $"decode {b}"));
        Assert.Equal(expected, $"{lines[0].GetProperty("engine").GetString()}, {Count("not measured")} {Count("prompt")} prompt; {decoded}");
        Assert.All(lines.Where(l => l.TryGetProperty("ms_a_step", out _)), l => Assert.InRange(l.GetProperty("ms_a_step").GetDouble(), 1, 50));
    }

    [Fact]
    public void A_run_goes_through_all_its_steps_whatever_fails_and_ends_in_a_snapshot()
    {
        string path = GpuBenchFiles.Tools + ":" + Environment.GetEnvironmentVariable("PATH");
        (int status, string text) = GpuBenchFiles.Run("bash", [Path.Combine(GpuBenchFiles.Scripts, "run.sh")],
            ("PATH", path), ("OUT", _folder), ("GPU_BENCH", GpuBenchFiles.Program), ("CUDA_VISIBLE_DEVICES", ""), ("SECONDS_IN_ALL", "300"));
        output.WriteLine(text);
        Assert.Equal(0, status);
        Assert.Equal(["environment.txt", "log.txt", "results.jsonl", "steps.jsonl", "summary.json", "summary.md"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        JsonElement summary = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(_folder, "summary.json")));
        string[] steps = [.. summary.GetProperty("steps").EnumerateArray().Select(s => s.GetProperty("name").GetString()!)];
        Assert.Equal(["ptxas", "nvcc", "kernels", "sanitizer", "probe", "peer-products", "model-8b", "peer-continuous", "peer-static", "model-1b", "peer-compiled", "http"], steps);
        JsonElement tables = summary.GetProperty("tables");
        Assert.Equal(["clean", "errors: see the log"], tables.GetProperty("compute-sanitizer").EnumerateArray().Select(r => r.GetProperty("verdict").GetString()));
        Assert.True(tables.TryGetProperty("decode", out _), "a peer's line did not reach the snapshot");
        Assert.True(tables.TryGetProperty("not measured", out _), "what was not measured is not said");
    }

    [Fact]
    public void A_run_without_its_program_says_how_to_make_it()
    {
        (int status, string text) = GpuBenchFiles.Run("bash", [Path.Combine(GpuBenchFiles.Scripts, "run.sh")], ("OUT", _folder), ("GPU_BENCH", "/nowhere/InferenceServer.GpuBench"));
        Assert.Equal(1, status);
        Assert.Contains("bench/gpu/prepare.sh", text, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
