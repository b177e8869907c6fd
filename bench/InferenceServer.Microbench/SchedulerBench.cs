using System.Threading.Channels;
using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine;
using InferenceServer.Hosting;
using InferenceServer.Options;
using InferenceServer.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace InferenceServer.Microbench;

/// <summary>
/// One step of the engine over 256 running sequences of seven tenants, without a model: take commands, plan, apply, emit; and the reading of its
/// 256 tokens, for unread ones would pile up. Target: at most 100 us and no allocation
/// (an answer of more than 512 tokens doubles its list now and then).
/// </summary>
[InvocationCount(StepsPerIteration)]
public class SchedulerBench
{
    private const int Sequences = 256, Prompt = 33, StepsPerIteration = 400, MaxTokens = 512; // a sequence's token list starts with room for 512

    private readonly ChannelReader<TokenEvent>[] _streams = new ChannelReader<TokenEvent>[Sequences];
    private WebApplication? _app;
    private InferenceEngine _engine = null!;

    /// <summary>With the server's own histograms listening, as in production.</summary>
    [Params(false, true)]
    public bool Telemetry { get; set; }

    /// <summary>With two, each step is planned before the one before it is read.</summary>
    [Params(1, 2)]
    public int StepsInFlight { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        if (Telemetry) _app = ServerHost.Build(new ServerOptions(), new ModelRegistry("none"));
    }

    [IterationSetup]
    public void Fill()
    {
        _engine?.Dispose();
        _engine = new InferenceEngine(
            new NullRunner(Limits()), new EngineOptions { RandomSeed = 1 }, TimeProvider.System, _app?.Services.GetRequiredService<EngineObserver>());
        for (int i = 0; i < Sequences; i++)
        {
            EngineRequest request = new()
            {
                RequestId = $"r{i}",
                PromptTokens = [.. Enumerable.Range(i, Prompt)],
                MaxTokens = MaxTokens,
                Sampling = new SamplingParameters { Seed = 7 },
                StopTokens = [5000, 5001],
                Tenant = $"t{i % 7}",
            };
            _streams[i] = _engine.Submit(request).Generation?.Events ?? throw new InvalidOperationException("The engine refused a request.");
        }

        for (int i = 0; i < 50; i++) Step(); // past the prompts and the growth of each stream's queue
        if (_engine.Status.SequencesRunning != Sequences) throw new InvalidOperationException($"{_engine.Status.SequencesRunning} sequences run instead of {Sequences}.");
    }

    [Benchmark]
    public void Step()
    {
        _engine.Loop.StepOnce();
        foreach (ChannelReader<TokenEvent> stream in _streams)
        {
            while (stream.TryRead(out _)) continue;
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _engine.Dispose();
        _app?.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private RunnerLimits Limits() => new()
    {
        VocabularySize = 6000,
        ContextLength = Prompt + MaxTokens,
        BlockSize = 16,
        BlockCount = Sequences * ((Prompt + MaxTokens) / 16 + 4),
        MaxTokensPerStep = 1024,
        MaxSequencesPerStep = Sequences,
        MaxRowsPerStep = Sequences,
        MaxStepsInFlight = StepsInFlight,
    };
}
