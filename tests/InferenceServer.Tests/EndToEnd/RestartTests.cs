using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using InferenceServer.Hosting;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>
/// A device that breaks under a served model: what runs ends with a sentence, what comes is told to come back, and the same process answers
/// again as before. Alone, because instruments belong to the process.
/// </summary>
[Collection(nameof(Telemetry.MetricsTests))]
public partial class RestartTests
{
    private const string Question = """{"messages":[{"role":"user","content":"What is a KV cache?"}],"temperature":0,"max_tokens":24}""";
    private const string Stream = """{"messages":[{"role":"user","content":"Hello"}],"stream":true,"max_tokens":900,"ignore_eos":true}""";

    [Fact]
    public async Task After_a_fault_the_model_is_loaded_again_and_answers_as_before()
    {
        FaultyDevice device = new();
        await using RunningServer server = await RunningServer.StartAsync(parts: Parts(device, 400));
        string before = await AnswerAsync(server);
        double generated = await CounterAsync(server, "vllm:generation_tokens_total");
        Assert.Equal(0, await CounterAsync(server, "vllm:engine_restarts_total"));

        using (HttpResponseMessage running = await StartStreamAsync(server))
        {
            device.Break();
            string rest = await running.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.Contains("Launch failed in step", rest, StringComparison.Ordinal);
            Assert.Contains("CUDA_ERROR_ILLEGAL_ADDRESS", rest, StringComparison.Ordinal);
            Assert.DoesNotContain("[DONE]", rest, StringComparison.Ordinal);
        }

        (JsonElement health, TimeSpan retry) = await RefusedAsync(server, HttpMethod.Get, "/health", "restarting");
        Assert.Equal("restarting", health.GetProperty("status").GetString());
        Assert.Contains("CUDA_ERROR_ILLEGAL_ADDRESS", health.GetProperty("reason").GetString()!, StringComparison.Ordinal);
        (JsonElement refusal, retry) = await RefusedAsync(server, HttpMethod.Post, "/v1/chat/completions", "engine_restarting");
        Assert.Equal("engine_restarting", refusal.GetProperty("error").GetProperty("code").GetString());
        Assert.Contains("started again", refusal.GetProperty("error").GetProperty("message").GetString()!, StringComparison.Ordinal);
        Assert.InRange(retry.TotalSeconds, 1, 30);
        Assert.True(await CounterAsync(server, "vllm:generation_tokens_total") >= generated, "a counter fell while no engine ran");

        await HealthyAsync(server);
        Assert.Equal(before, await AnswerAsync(server));
        Assert.Equal((2, 1), (device.Loads, device.Disposed));
        Assert.Equal(1, await CounterAsync(server, "vllm:engine_restarts_total"));
        Assert.True(await CounterAsync(server, "vllm:generation_tokens_total") > generated, "the counters started anew");
    }

    [Fact]
    public async Task A_device_that_stays_broken_is_given_up_with_a_sentence_and_ends_the_process()
    {
        FaultyDevice device = new();
        await using RunningServer server = await RunningServer.StartAsync(parts: Parts(device, 1, 1, 1));
        Task<int> exit = server.RunAsync();
        device.LoadsFail = true;
        device.Break();
        using (HttpResponseMessage running = await StartStreamAsync(server)) await running.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, await exit.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        Assert.Contains("failed too often", server.Failure, StringComparison.Ordinal);
        Assert.Contains("CUDA_ERROR_DEVICE_UNAVAILABLE", server.Failure, StringComparison.Ordinal);
        Assert.Equal(1, device.Disposed);
    }

    [Fact]
    public async Task A_load_that_fails_once_after_a_fault_is_tried_again()
    {
        FaultyDevice device = new();
        await using RunningServer server = await RunningServer.StartAsync(parts: Parts(device, 1, 300));
        string before = await AnswerAsync(server);
        device.LoadsFail = true;
        device.Break();
        using (HttpResponseMessage running = await StartStreamAsync(server)) await running.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        while (!(await RefusedAsync(server, HttpMethod.Get, "/health", "restarting")).Body.GetProperty("reason").GetString()!.Contains("CUDA_ERROR_DEVICE_UNAVAILABLE", StringComparison.Ordinal))
            await Task.Delay(5, TestContext.Current.CancellationToken);
        device.LoadsFail = false;
        await HealthyAsync(server);
        Assert.Equal(before, await AnswerAsync(server));
    }

    [Fact]
    public async Task Stopping_between_a_fault_and_the_next_engine_is_quick()
    {
        FaultyDevice device = new();
        RunningServer server = await RunningServer.StartAsync(parts: Parts(device, 3_600_000));
        device.Break();
        using (HttpResponseMessage running = await StartStreamAsync(server)) await running.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        await RefusedAsync(server, HttpMethod.Get, "/health", "restarting");
        await server.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(1, device.Disposed);
    }

    private static HostParts Parts(FaultyDevice device, params int[] delaysMs) => new()
    {
        ChooseDevice = (_, _) => device,
        Restarts = new RestartPolicy(TimeProvider.System, [.. delaysMs.Select(ms => TimeSpan.FromMilliseconds(ms))]),
    };

    private static async Task<HttpResponseMessage> StartStreamAsync(RunningServer server)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(Stream, Encoding.UTF8, "application/json") };
        return await server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    private static async Task<string> AnswerAsync(RunningServer server)
    {
        using StringContent body = new(Question, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await server.Http.PostAsync("/v1/chat/completions", body, TestContext.Current.CancellationToken);
        JsonElement answer = await TestServer.ReadAsync(response, 200);
        return answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
    }

    /// <summary>Asks until the refusal names this state: for an instant after the fault the engine itself refuses.</summary>
    private static async Task<(JsonElement Body, TimeSpan Retry)> RefusedAsync(RunningServer server, HttpMethod method, string path, string state)
    {
        while (true)
        {
            using HttpRequestMessage request = new(method, path) { Content = method == HttpMethod.Post ? new StringContent(Question, Encoding.UTF8, "application/json") : null };
            using HttpResponseMessage response = await server.Http.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            if (text.Contains($"\"{state}\"", StringComparison.Ordinal)) return (JsonDocument.Parse(text).RootElement, response.Headers.RetryAfter!.Delta!.Value);
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }

    private static async Task HealthyAsync(RunningServer server)
    {
        while (true)
        {
            using HttpResponseMessage response = await server.Http.GetAsync("/health", TestContext.Current.CancellationToken);
            if (response.IsSuccessStatusCode) return;
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    private static async Task<double> CounterAsync(RunningServer server, string name)
    {
        string text = await server.Http.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        return Sample().Matches(text).Where(m => m.Groups[1].Value == name).Sum(m => double.Parse(m.Groups[2].ValueSpan, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"^([\w:]+)\{[^}]*\} (\S+)$", RegexOptions.Multiline)]
    private static partial Regex Sample();
}
