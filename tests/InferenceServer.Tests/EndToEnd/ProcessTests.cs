using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>Start, stop and failure of the executable, as its user meets them.</summary>
public class ProcessTests
{
    [Fact]
    public async Task Sigterm_finishes_what_runs_and_exits_with_zero()
    {
        using ServerProcess server = ServerProcess.Start("--port 0 --grpc-port 0");
        using HttpClient http = new() { BaseAddress = new Uri(await server.ReadyAsync()) };
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent("""{"messages":[{"role":"user","content":"Hello"}],"stream":true,"max_tokens":800,"ignore_eos":true}""", Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        server.Terminate();
        string rest = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":\"length\"", rest, StringComparison.Ordinal);
        Assert.Equal(0, await server.ExitAsync());
    }

    [Theory]
    [InlineData("--model no-such-model", "no-such-model", "--model")]
    [InlineData("--model llama-3.1-8b-instruct", "meta-llama/", "--model FOLDER")]
    [InlineData("--port 70000 --threads -1", "--port is 70000", "--threads is -1")]
    [InlineData("--host 0.0.0.0", "no API key", "--api-key KEY")]
    [InlineData("--kv-memory 70K --port 0 --grpc-port 0", "KV pool", "more")]
    [InlineData("--scheduler-max-waiting-tokens 1 --port 0 --grpc-port 0", "less than the model's context", "--scheduler-max-waiting-tokens")]
    public async Task A_start_that_fails_says_what_to_do(string arguments, string what, string mending)
    {
        (int exitCode, string output) = await ServerProcess.RunAsync(arguments);
        Assert.Equal(2, exitCode);
        Assert.Contains(what, output, StringComparison.Ordinal);
        Assert.Contains(mending, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal); // a sentence, not a stack trace
    }

    [Fact]
    public async Task A_taken_port_is_named()
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        (int exitCode, string output) = await ServerProcess.RunAsync($"--port {port} --grpc-port 0");
        Assert.Equal(2, exitCode);
        Assert.Contains($"{port}", output, StringComparison.Ordinal);
        Assert.Contains("--port", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokenize_and_render_pipe_json_lines()
    {
        string demo = TestModels.Demo;
        (int exitCode, string ids) = await ServerProcess.RunAsync($"tokenize --tokenizer {demo}/tokenizer.json", "{\"text\":\"Hello\"}\n{\"text\":\"Hello<|eot_id|>\",\"add_special\":false}\nno json\n");
        string[] lines = ids.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(0, exitCode);
        Assert.Equal(3, lines.Length);
        int[] with = Ints(lines[0]), without = Ints(lines[1]);
        Assert.Equal(with[1..], without[..^1]);
        Assert.True(JsonDocument.Parse(lines[2]).RootElement.TryGetProperty("error", out _));

        (exitCode, string text) = await ServerProcess.RunAsync($"render --template {demo}/tokenizer_config.json --now 2024-07-26T12:34:56",
            """{"messages":[{"role":"user","content":" Hi "}],"tools":null,"kwargs":{"add_generation_prompt":true,"bos_token":"<|begin_of_text|>"}}""" + "\n");
        Assert.Equal(0, exitCode);
        Assert.Equal("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            JsonDocument.Parse(text).RootElement.GetProperty("text").GetString());

        static int[] Ints(string line) => [.. JsonDocument.Parse(line).RootElement.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())];
    }

    [Fact]
    public async Task Metrics_and_traces_go_out_by_otlp()
    {
        using HttpListener collector = new();
        int port = FreePort();
        collector.Prefixes.Add($"http://127.0.0.1:{port}/");
        collector.Start();
        HashSet<string> paths = [];
        Task collecting = CollectAsync(collector, paths);
        using (ServerProcess server = ServerProcess.Start("--port 0 --grpc-port 0", new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://127.0.0.1:{port}",
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        }))
        {
            using HttpClient http = new() { BaseAddress = new Uri(await server.ReadyAsync()) };
            using StringContent body = new("""{"messages":[{"role":"user","content":"Hello"}],"max_tokens":4}""", Encoding.UTF8, "application/json");
            (await http.PostAsync("/v1/chat/completions", body, TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();
            server.Terminate(); // flushes
            Assert.Equal(0, await server.ExitAsync());
        }

        collector.Stop();
        await collecting;
        Assert.Contains("/v1/metrics", paths);
        Assert.Contains("/v1/traces", paths);
    }

    private static async Task CollectAsync(HttpListener collector, HashSet<string> paths)
    {
        while (collector.IsListening)
        {
            try
            {
                HttpListenerContext context = await collector.GetContextAsync();
                paths.Add(context.Request.Url!.AbsolutePath);
                await context.Request.InputStream.CopyToAsync(Stream.Null);
                context.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return; // stopped
            }
        }
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
