using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Engine;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Running;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>A real model on the CPU backend under a real engine, with a pool of a chosen size.</summary>
internal sealed class EngineRig : IAsyncDisposable
{
    private readonly IModelRunner _runner;

    public EngineRig(string folder, int blocks, int tokensPerStep = 256, int maxRunning = 64, bool prefixCache = true, int threads = 2, WeightPrecision weights = WeightPrecision.AsStored)
    {
        using ModelFolder model = ModelFolder.Open(folder);
        _runner = model.LoadRunner(new CpuBackend(new CpuOptions { Threads = threads, Weights = weights }, new HostSampler()), new RunnerOptions
        {
            BlockCount = blocks,
            MaxTokensPerStep = tokensPerStep,
            MaxSequencesPerStep = maxRunning,
            MaxRowsPerStep = maxRunning,
        });
        Engine = new InferenceEngine(_runner, new EngineOptions { MaxRunningSequences = maxRunning, EnablePrefixCache = prefixCache }, TimeProvider.System);
        Engine.Start();
        Vocabulary = _runner.Limits.VocabularySize;
        EndTokens = model.Generation.EosTokens;
    }

    public InferenceEngine Engine { get; }

    public int Vocabulary { get; }

    public IReadOnlyList<int> EndTokens { get; }

    public Task<GeneratedTokens> GreedyAsync(int[] prompt, int maxTokens) => RunAsync(prompt, maxTokens, new SamplingParameters { Temperature = 0 });

    public async Task<GeneratedTokens> RunAsync(int[] prompt, int maxTokens, SamplingParameters sampling, int priority = 0)
    {
        Submission submission = Engine.Submit(new EngineRequest
        {
            RequestId = Guid.NewGuid().ToString("n"),
            PromptTokens = prompt,
            Sampling = sampling,
            MaxTokens = maxTokens,
            Priority = priority,
        });
        Assert.True(submission.Rejection is null, submission.Rejection?.Message);
        List<int> tokens = [];
        RequestSummary? summary = null;
        await foreach (TokenEvent e in submission.Generation!.Events.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            Assert.Null(e.Error);
            if (e.Kind == TokenEventKind.Token) tokens.Add(e.Token);
            summary = e.Summary ?? summary;
        }

        return new GeneratedTokens([.. tokens], summary!);
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        _runner.Dispose();
    }
}

internal sealed record GeneratedTokens(int[] Tokens, RequestSummary Summary);
