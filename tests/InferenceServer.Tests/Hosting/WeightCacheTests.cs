using InferenceServer.Core.Requests;
using InferenceServer.Cpu;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Hosting;

/// <summary>--weights-cache: the same tokens and logprobs from mapped weights, keyed by what is in the model's files.</summary>
public sealed class WeightCacheTests : IDisposable
{
    private readonly string _cache = Directory.CreateTempSubdirectory("weights-cache-").FullName, _models = Directory.CreateTempSubdirectory("weights-cache-models-").FullName;

    public void Dispose()
    {
        Directory.Delete(_cache, recursive: true);
        Directory.Delete(_models, recursive: true);
    }

    [Theory]
    [InlineData("demo", WeightPrecision.AsStored)]
    [InlineData("demo", WeightPrecision.Q4)]
    [InlineData("folder", WeightPrecision.AsStored)]
    [InlineData("gguf", WeightPrecision.AsStored)]
    [InlineData("gguf", WeightPrecision.Q8)]
    public async Task A_second_start_repacks_nothing_and_gives_the_same_tokens_and_logprobs(string model, WeightPrecision weights)
    {
        string path = model switch
        {
            "demo" => TestModels.Demo,
            "folder" => TestModels.Stories,
            _ => TestModels.SharedData("tiny-models/stories260K/derived/stories260K-f32.gguf"),
        };
        string without = await AnswerAsync(path, null, weights, new CapturedLog());
        CapturedLog first = new(), second = new();
        Assert.Equal(without, await AnswerAsync(path, _cache, weights, first));
        string file = Assert.Single(Directory.GetFiles(_cache));
        Assert.Equal(without, await AnswerAsync(path, _cache, weights, second));
        Assert.Contains(first.Lines, l => l.StartsWith("Information: weights: 0 MB from the cache", StringComparison.Ordinal));
        Assert.Contains(first.Lines, l => l == $"Information: weights: kept in '{file}' for the next start");
        Assert.Contains(second.Lines, l => l.StartsWith("Information: weights: ", StringComparison.Ordinal) && l.Contains($" MB from the cache '{file}', 0 MB repacked, in ", StringComparison.Ordinal));
        Assert.DoesNotContain(second.Lines, l => l.Contains("kept in", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_model_under_another_name_or_with_another_byte_has_its_own_file_and_a_damaged_one_is_a_warning()
    {
        string copy = Path.Combine(_models, "copy");
        Directory.CreateDirectory(copy);
        foreach (string from in Directory.GetFiles(TestModels.Demo)) File.Copy(from, Path.Combine(copy, Path.GetFileName(from)));
        await AnswerAsync(copy, _cache, WeightPrecision.AsStored, new CapturedLog());
        string first = Assert.Single(Directory.GetFiles(_cache));

        string weights = Path.Combine(copy, "model.safetensors");
        byte[] bytes = await File.ReadAllBytesAsync(weights, TestContext.Current.CancellationToken);
        bytes[^1000] ^= 1;
        await File.WriteAllBytesAsync(weights, bytes, TestContext.Current.CancellationToken);
        await AnswerAsync(copy, _cache, WeightPrecision.AsStored, new CapturedLog());
        string second = Assert.Single(Directory.GetFiles(_cache), f => f != first);

        await File.WriteAllTextAsync(second, "damaged", TestContext.Current.CancellationToken);
        CapturedLog log = new();
        await AnswerAsync(copy, _cache, WeightPrecision.AsStored, log);
        Assert.Contains(log.Lines, l => l.StartsWith($"Warning: The file '{second}' of the weights cache ", StringComparison.Ordinal));
        Assert.Contains(log.Lines, l => l == $"Information: weights: kept in '{second}' for the next start");
    }

    /// <summary>Greedy tokens after a prompt, with their logprobs.</summary>
    private static async Task<string> AnswerAsync(string model, string? cache, WeightPrecision weights, CapturedLog log)
    {
        ServerOptions options = new()
        {
            Model = new ModelOptions { Path = model, Device = "cpu", ContextLength = 128 },
            Cpu = new() { Threads = 2, Weights = weights, WeightsCache = cache },
            Kv = new KvOptions { Memory = 8 << 20 },
            Scheduler = new SchedulerOptions { MaxRunning = 16, TokensPerStep = 64 },
        };
        await using LoadedModel loaded = await ModelLoader.LoadAsync(ServedSource.Resolve(options.Model), options, new CpuDevice(), null, log, TestContext.Current.CancellationToken);
        Submission submission = loaded.Served.Engine.Submit(new EngineRequest
        {
            RequestId = "one",
            PromptTokens = [1, 5, 9, 33, 7],
            Sampling = new SamplingParameters { Temperature = 0, Logprobs = true },
            MaxTokens = 24,
        });
        List<string> tokens = [];
        await foreach (TokenEvent e in submission.Generation!.Events.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            Assert.Null(e.Error);
            if (e.Kind == TokenEventKind.Token) tokens.Add($"{e.Token} {e.Logprob:R}");
        }

        Assert.NotEmpty(tokens);
        return string.Join(", ", tokens);
    }
}
