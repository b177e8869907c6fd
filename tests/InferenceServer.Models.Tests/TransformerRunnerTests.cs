using InferenceServer.Core.Stepping;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests;

/// <summary>What a step issues, seen by a backend that only counts.</summary>
public sealed class TransformerRunnerTests : IDisposable
{
    private static readonly int[] Tokens = [1, 2, 3, 4, 5];

    private readonly TemporaryFolder _folder = new();
    private readonly CountingBackend _backend = new();
    private readonly IModelRunner _runner;

    public TransformerRunnerTests()
    {
        new TinyModel("LlamaForCausalLM").Write(_folder.Path);
        using ModelFolder folder = ModelFolder.Open(_folder.Path);
        _runner = folder.LoadRunner(_backend, new RunnerOptions { MaxSequencesPerStep = 2, MaxRowsPerStep = 8, MaxTokensPerStep = 8 });
    }

    public void Dispose()
    {
        _runner.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_step_with_rows_runs_every_layer_and_the_head()
    {
        new HandLoop(_runner).Step(Tokens, 0, 5, rows: 1);
        Assert.Equal((3, 3, 3 * 3 + 1, 1), (_backend.KvStores, _backend.Attentions, _backend.Projections, _backend.Samples));
    }

    [Fact]
    public void A_chunk_whose_logits_nobody_wants_stops_at_the_last_layers_keys()
    {
        new HandLoop(_runner).Step(Tokens, 0, 5, rows: 0);
        Assert.Equal((3, 2, 2 * 3 + 1, 0), (_backend.KvStores, _backend.Attentions, _backend.Projections, _backend.Samples));
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        HandLoop loop = new(_runner);
        for (int i = 0; i < 100; i++) loop.Step(Tokens, 0, 5, rows: 1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) loop.Step(Tokens, 0, 5, rows: i % 2);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void The_runner_disposes_its_backend()
    {
        _runner.Dispose();
        Assert.True(_backend.IsDisposed);
    }
}
