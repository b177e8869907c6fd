using System.Text;
using InferenceServer.Core.Requests;
using InferenceServer.Cuda.Driver;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;

namespace InferenceServer.Tests.Cuda;

/// <summary>
/// Requests through HTTP to the shipped kernels, run by an interpreter, beside the same requests to the CPU backend. BF16 rounds to 8 bits
/// where the CPU keeps more, so a token is compared only where the CPU's two best lie further apart than <see cref="Tolerance"/>;
/// where they do not, the rest of that answer is not compared, for either continuation is right.
/// </summary>
[Collection(nameof(Telemetry.MetricsTests))]
public class StandInServerTests
{
    /// <summary>In nats; the log-probabilities of equal tokens are held to half of it.</summary>
    private const double Tolerance = 0.15;

    private static readonly string[] Questions = ["What is a KV cache?", "How do I set an API key?", "Hello"];
    private static readonly string[] Beginnings = ["Once upon a time", "The little dog", "Lily wanted to"];

    [Fact]
    public async Task The_demo_model_answers_as_on_the_cpu() => await CompareAsync(null, Questions, leastCompared: 30);

    [Fact]
    public async Task Stories260K_continues_as_on_the_cpu() => await CompareAsync(TestModels.Stories, Beginnings, leastCompared: 30);

    [Fact]
    public async Task Eight_requests_at_once_get_what_each_gets_alone_and_seeds_repeat()
    {
        await using StandInServer gpu = await StandInServer.StartAsync();
        string[] prompts = [.. Enumerable.Range(0, 8).Select(i => $"{Questions[i % 3]} {i}")];
        Task<StreamedCompletion>[] running = [.. prompts.Select(p => StreamedCompletion.AskAsync(gpu.Server.Http, p, 8))];
        StreamedCompletion[] together = await Task.WhenAll(running);
        for (int i = 0; i < 3; i++)
        {
            StreamedCompletion alone = await StreamedCompletion.AskAsync(gpu.Server.Http, prompts[i], 8);
            AssertClose(alone, together[i]);
        }

        const string Seeded = "\"temperature\":0.9,\"top_p\":0.95,\"seed\":7";
        StreamedCompletion first = await StreamedCompletion.AskAsync(gpu.Server.Http, prompts[0], 12, Seeded);
        StreamedCompletion second = await StreamedCompletion.AskAsync(gpu.Server.Http, prompts[0], 12, Seeded);
        StreamedCompletion other = await StreamedCompletion.AskAsync(gpu.Server.Http, prompts[0], 12, Seeded.Replace('7', '8'));
        Assert.Equal(first.Tokens, second.Tokens);
        Assert.NotEqual(first.Tokens, other.Tokens);
    }

    [Fact]
    public async Task A_disconnect_frees_the_blocks_and_a_fault_of_the_gpu_is_survived()
    {
        await using StandInServer gpu = await StandInServer.StartAsync();
        StreamedCompletion before = await StreamedCompletion.AskAsync(gpu.Server.Http, Questions[0], 8);
        using (HttpResponseMessage gone = await StartAsync(gpu)) await WaitAsync(() => Status(gpu)?.BlocksUsed > 0);
        await WaitAsync(() => Status(gpu) is { BlocksUsed: 0, SequencesRunning: 0 });

        using (HttpResponseMessage running = await StartAsync(gpu))
        {
            gpu.Device.Fault(CudaError.IllegalAddress, "a kernel went astray");
            string rest = await running.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.Contains("CUDA_ERROR_ILLEGAL_ADDRESS (700)", rest, StringComparison.Ordinal);
            Assert.Contains("(batch of 1 sequences", rest, StringComparison.Ordinal);
        }

        await WaitAsync(() => gpu.Server.Models.State is { Ready: not null, RestartsTotal: 1 });
        StreamedCompletion after = await StreamedCompletion.AskAsync(gpu.Server.Http, Questions[0], 8);
        Assert.Equal(before.Tokens, after.Tokens);
        Assert.Equal(before.Logprobs, after.Logprobs);
    }

    private static async Task CompareAsync(string? folder, string[] prompts, int leastCompared)
    {
        const int Tokens = 16;
        await using StandInServer gpu = await StandInServer.StartAsync(folder);
        await using RunningServer cpu = await RunningServer.StartAsync(o =>
        {
            ServerOptions small = StandInServer.Small(o, folder);
            return small with { Model = small.Model with { Device = "cpu" } };
        });
        int compared = 0;
        foreach (string prompt in prompts)
        {
            StreamedCompletion expected = await StreamedCompletion.AskAsync(cpu.Http, prompt, Tokens);
            compared += AssertClose(expected, await StreamedCompletion.AskAsync(gpu.Server.Http, prompt, Tokens));
        }

        Assert.True(compared >= leastCompared, $"only {compared} tokens had a margin to compare");
    }

    /// <returns>How many tokens were compared.</returns>
    private static int AssertClose(StreamedCompletion expected, StreamedCompletion got)
    {
        for (int i = 0; i < expected.Tokens.Length; i++)
        {
            if (expected.Margins[i] <= Tolerance) return i;
            Assert.Equal(expected.Tokens[i], got.Tokens[i]);
            Assert.Equal(expected.Logprobs[i], got.Logprobs[i], Tolerance / 2);
        }

        return expected.Tokens.Length;
    }

    private static async Task<HttpResponseMessage> StartAsync(StandInServer gpu)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent("""{"prompt":"Hello","max_tokens":200,"ignore_eos":true,"stream":true}""", Encoding.UTF8, "application/json"),
        };
        return await gpu.Server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    private static EngineStatus? Status(StandInServer gpu) => gpu.Server.Models.Ready?.Engine.Status;

    private static async Task WaitAsync(Func<bool> condition)
    {
        while (!condition()) await Task.Delay(10, TestContext.Current.CancellationToken);
    }
}
