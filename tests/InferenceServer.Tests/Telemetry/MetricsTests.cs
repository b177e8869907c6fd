using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using InferenceServer.Tests.EndToEnd;

namespace InferenceServer.Tests.Telemetry;

/// <summary>
/// What /metrics says, held against what a client saw. Alone, because instruments belong to the process and other tests run servers in it.
/// </summary>
[Collection(nameof(MetricsTests))]
[CollectionDefinition(nameof(MetricsTests), DisableParallelization = true)]
public partial class MetricsTests
{
    [Fact]
    public async Task Times_and_counts_are_what_a_client_saw()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        const int Tokens = 40;
        Dictionary<string, double> before = await ScrapeAsync(server); // the warm-up request is in it
        (double first, double total) = await StreamAsync(server, Tokens);
        Dictionary<string, double> after = await SettledAsync(server, before);
        double Delta(string name) => after.GetValueOrDefault(name) - before.GetValueOrDefault(name);

        Assert.Equal(Tokens, Delta("vllm:generation_tokens_total"));
        Assert.Equal(1, Delta("vllm:request_success_total"));
        Assert.Equal(1, Delta("vllm:time_to_first_token_seconds_count"));
        Assert.Equal(Tokens - 1, Delta("vllm:inter_token_latency_seconds_count"));
        Assert.True(Delta("vllm:prompt_tokens_total") > 10);
        double ttft = Delta("vllm:time_to_first_token_seconds_sum"), e2e = Delta("vllm:e2e_request_latency_seconds_sum");
        double itl = Delta("vllm:inter_token_latency_seconds_sum"), tpot = Delta("vllm:request_time_per_output_token_seconds_sum");

        // The server's clock starts after the client's and stops before it; a busy test machine may add a pause between the two.
        Assert.InRange(ttft, 0.0001, first);
        Assert.InRange(e2e, ttft, total);
        Assert.True(total - e2e < 1, $"client {total:F3} s, server {e2e:F3} s");
        Assert.Equal(e2e - ttft, itl, 0.05);
        Assert.Equal(itl / (Tokens - 1), tpot, 1e-6);
        Assert.Equal(0, after["vllm:num_requests_running"]);
        Assert.Equal(0, after["vllm:kv_cache_usage_perc"]);
    }

    [Fact]
    public async Task The_list_of_metrics_is_the_one_in_git()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await StreamAsync(server, 4);
        using (StringContent unknown = new("""{"model":"no-such-model","messages":[{"role":"user","content":"?"}]}""", Encoding.UTF8, "application/json"))
        using (HttpResponseMessage refused = await server.Http.PostAsync("/v1/chat/completions", unknown, TestContext.Current.CancellationToken))
            Assert.Equal(System.Net.HttpStatusCode.NotFound, refused.StatusCode);
        string text = await TextAsync(server);
        IEnumerable<string> ours = TypeLine().Matches(text).Select(m => $"{m.Groups[1].Value} {m.Groups[2].Value}")
            .Where(l => l.StartsWith("vllm:", StringComparison.Ordinal) || l.StartsWith("gen_ai", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        string contract = Path.Combine(TestModels.Root, "src", "InferenceServer", "Telemetry", "metrics.txt");
        Assert.Equal(await File.ReadAllLinesAsync(contract, TestContext.Current.CancellationToken), ours);
    }

    [Fact]
    public async Task Promtool_finds_nothing_wrong()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await StreamAsync(server, 4);
        string text = await TextAsync(server);
        Process? promtool = null;
        try
        {
            promtool = Process.Start(new ProcessStartInfo("promtool", "check metrics") { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("promtool is not installed (Debian package prometheus).");
        }

        using (promtool)
        {
            await promtool!.StandardInput.WriteAsync(text);
            promtool.StandardInput.Close();
            string complaints = await promtool.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await promtool.WaitForExitAsync(TestContext.Current.CancellationToken);
            // vLLM's own names hold a colon, which promtool's linter dislikes; they are the point of having them.
            Assert.DoesNotContain(complaints.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => !line.EndsWith("metric names should not contain ':'", StringComparison.Ordinal)
                && !line.StartsWith("vllm:iteration_tokens_total non-counter", StringComparison.Ordinal));
        }
    }

    private static async Task<(double First, double Total)> StreamAsync(RunningServer server, int tokens)
    {
        string body = $$$"""{"messages":[{"role":"user","content":"What is a KV cache?"}],"stream":true,"max_tokens":{{{tokens}}},"ignore_eos":true}""";
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        long start = Stopwatch.GetTimestamp();
        using HttpResponseMessage response = await server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        double first = 0;
        while (await reader.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (first == 0 && line.Contains("\"content\":", StringComparison.Ordinal)) first = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        return (first, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>The last token is written before the request is accounted; wait for the account.</summary>
    private static async Task<Dictionary<string, double>> SettledAsync(RunningServer server, Dictionary<string, double> before)
    {
        for (int i = 0; ; i++)
        {
            Dictionary<string, double> now = await ScrapeAsync(server);
            if (i == 50 || now.GetValueOrDefault("vllm:request_success_total") > before.GetValueOrDefault("vllm:request_success_total")) return now;
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    private static Task<string> TextAsync(RunningServer server) => server.Http.GetStringAsync("/metrics", TestContext.Current.CancellationToken);

    /// <summary>Samples summed over their labels.</summary>
    private static async Task<Dictionary<string, double>> ScrapeAsync(RunningServer server)
    {
        Dictionary<string, double> samples = [];
        foreach (string line in (await TextAsync(server)).Split('\n').Where(l => l.Length > 0 && l[0] != '#'))
        {
            string name = line.Split('{', ' ')[0];
            samples[name] = samples.GetValueOrDefault(name) + double.Parse(line.AsSpan(line.LastIndexOf(' ') + 1), CultureInfo.InvariantCulture);
        }

        return samples;
    }

    [GeneratedRegex(@"^# TYPE (\S+) (\w+)$", RegexOptions.Multiline)]
    private static partial Regex TypeLine();
}
