using InferenceServer.CpuBench;
using InferenceServer.CpuBench.Peer;
using InferenceServer.CpuBench.Reports;
using InferenceServer.CpuBench.Runs;
using InferenceServer.CpuBench.Servers;
using InferenceServer.Tests.EndToEnd;

namespace InferenceServer.Tests.Bench;

/// <summary>The llama.cpp comparison without llama.cpp: what its programs print is read, and what was measured becomes a table.</summary>
public class CpuBenchTests
{
    [Fact]
    public void The_rate_is_found_in_what_the_programs_print()
    {
        Assert.Equal(24.5, LlamaCppRun.ParseBench("loading\n{\"n_prompt\":0,\"n_gen\":128,\"avg_ns\":1,\"avg_ts\":24.5,\"samples_ts\":[24.5]}\n"));
        Assert.Equal(97.25, LlamaCppRun.ParseBatched("main: n_kv_max = 3072\n\n{\"n_kv_max\":3072,\"pl\":16,\"speed_pp\":130.1,\"speed_tg\":97.25,\"speed\":110}\n"));
    }

    [Theory]
    [InlineData("no such model", "no 'avg_ts'")]
    [InlineData("{\"avg_ts\":\"fast\"}", "no 'avg_ts'")]
    [InlineData("{\"avg_ts\":", "no JSON")]
    public void Anything_else_is_a_sentence(string printed, string complaint) =>
        Assert.Contains(complaint, Assert.Throws<BenchException>(() => LlamaCppRun.ParseBench(printed)).Message);

    [Fact]
    public void The_table_has_ratios_of_medians()
    {
        RunTable table = new([.. new[] { 30.0, 10, 20 }.Select(Ours), .. new[] { 8.0, 100, 10 }.Select(Theirs)]);
        Assert.Equal(2.0, table.Ratio("q8_0", "decode-1"));
        Assert.Null(table.Ratio("q4_0", "decode-1"));
        string text = table.Write();
        Assert.Contains("| Q8_0 | 2.00 | - | - |", text);
        Assert.Contains("| Q8_0 | batch-1 decode | 20.0 (10.0-30.0) | 10.0 (8.0-100.0) | 3, 3 | -t 2 -fa on |", text);
        Assert.Contains("| Q8_0 | 20.0 | 100.0 | 20 % |", text); // 1 GB a token, 20 tokens a second
        Assert.Contains("| Q8_0 | 1.50 | 1100 | 300 | 1500 | 1700 | 1600 | yes |", text);
    }

    [Fact]
    public void A_run_survives_its_file()
    {
        BenchRun run = Ours(1.25);
        Assert.Equal(run, BenchRun.Parse(run.ToJson()));
        Assert.Contains("no run", Assert.Throws<BenchException>(() => BenchRun.Parse("{\"side\":\"ours\"}")).Message);
    }

    [Fact]
    public void The_load_generators_report_is_read()
    {
        BenchRun run = HttpComparison.Read("""{"failed":0,"output_tokens_per_second":55.5,"ttft_ms":{"p95":900},"itl_ms":{"p99":80}}""", BenchRun.Theirs, "q4_k_m", "-np 16");
        Assert.Equal((55.5, 900, 80), (run.TokensPerSecond, run.TtftP95Ms, run.ItlP99Ms));
        Assert.Contains("3 requests to theirs failed", Refusal("""{"failed":3,"errors":{"timeout":3}}"""));
        Assert.Contains("cannot be read", Refusal("{}"));
        Assert.Contains("cannot be read", Refusal("[]"));

        static string Refusal(string report) => Assert.Throws<BenchException>(() => HttpComparison.Read(report, BenchRun.Theirs, "q4_k_m", "")).Message;
    }

    [Fact]
    public void Servers_and_streams_have_tables_of_their_own()
    {
        RunTable table = new(
        [
            Ours(200) with { Case = HttpComparison.Case, TtftP95Ms = 400 }, Theirs(80) with { Case = HttpComparison.Case, TtftP95Ms = 1600 },
            Ours(90) with { Case = Interference.AloneCase, ItlP99Ms = 100 }, Ours(60) with { Case = Interference.BesideCase, ItlP99Ms = 180, TtftP95Ms = 20000 },
        ]);
        string text = table.Write();
        Assert.Contains("| Q8_0 | 200.0 | 80.0 | 2.50 | 400 | 1600 | 0.25 | 1, 1 | -t 2 -fa on |", text);
        Assert.Contains("| Q8_0 | 100.0 | 180.0 | 1.80 | 90.0 | 60.0 | 20000 | 1 | --threads 2 |", text);
        Assert.DoesNotContain("prompt of 512", text);
    }

    [Fact]
    public void A_gap_belongs_to_the_moment_it_ends()
    {
        long second = System.Diagnostics.Stopwatch.Frequency;
        long[] stamps = [1 * second, 2 * second, 5 * second, 6 * second];
        Assert.Equal([3.0, 1.0], TimedStream.Gaps(stamps, after: 2 * second, until: 6 * second));
    }

    [Fact]
    public void A_server_that_ends_at_once_is_reported_with_what_it_said()
    {
        BenchException thrown = Assert.Throws<BenchException>(() => ServerUnderTest.Start("dotnet", ["/no/such/program.dll"]));
        Assert.Contains("before it was ready", thrown.Message);
    }

    [Fact]
    public void A_snapshot_tells_nothing_of_this_machines_folders() =>
        Assert.Equal("bench/llama-cpp/run.sh compare --llama-cpp PATH --rounds 3 --folder=PATH",
            Snapshot.Command(["compare", "--llama-cpp", "/somewhere/bin", "--rounds", "3", "--folder=/elsewhere"]));

    [Fact]
    public void A_folder_without_the_programs_is_refused() =>
        Assert.Contains("--llama-cpp", Assert.Throws<BenchException>(() => new LlamaCppFolder(AppContext.BaseDirectory)).Message);

    [Fact]
    public void The_probe_reads_what_it_wrote() => Assert.True(BandwidthProbe.Measure(threads: 2, bytes: 16 << 20) > 0);

    [Fact]
    public async Task A_load_and_the_steps_behind_it_are_measured()
    {
        LoadRun load = await LoadRun.MeasureAsync(TestModels.Demo, threads: 1, "q8");
        Assert.True(load.Seconds > 0 && load.SteadyBytes > 0 && load.PeakBytes >= load.SteadyBytes, load.ToString());
        WarmthRun warmth = await WarmthRun.MeasureAsync(TestModels.Demo, threads: 1);
        Assert.True(warmth is { EarlyMs: > 0, LateMs: > 0 }, warmth.ToString());
        Assert.Equal(warmth.EarlyMs / warmth.LateMs, warmth.Ratio);
        Assert.Contains("there are as-stored", Assert.Throws<BenchException>(() => OurModel.Precision("q5")).Message);
    }

    private static BenchRun Ours(double rate) => new()
    {
        Side = BenchRun.Ours,
        Format = "q8_0",
        Case = "decode-1",
        Flags = "--threads 2",
        TokensPerSecond = rate,
        LoadSeconds = 1.5,
        ReadBytesPerSecond = 100e9,
        WeightBytesRead = 1_000_000_000,
        WeightBytes = 1_100_000_000,
        KvBytes = 300_000_000,
        SteadyBytes = 1_500_000_000,
        PeakBytes = 1_700_000_000,
    };

    private static BenchRun Theirs(double rate) => new() { Side = BenchRun.Theirs, Format = "q8_0", Case = "decode-1", Flags = "-t 2 -fa on", TokensPerSecond = rate };
}
