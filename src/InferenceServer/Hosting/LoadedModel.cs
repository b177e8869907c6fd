using InferenceServer.Core.Stepping;
using InferenceServer.Engine;

namespace InferenceServer.Hosting;

/// <summary>A served model and what must be shut down with it: first the engine's thread, then the runner with weights and KV pool.</summary>
internal sealed class LoadedModel(ServedModel served, InferenceEngine engine, IModelRunner runner) : IAsyncDisposable
{
    public ServedModel Served { get; } = served;

    /// <summary>What broke the engine; null while it is healthy.</summary>
    public Exception? Fault => engine.Fault;

    /// <summary>Completes when <see cref="Fault"/> is set.</summary>
    public Task Faulted => engine.Faulted;

    public async ValueTask DisposeAsync()
    {
        await engine.DisposeAsync();
        runner.Dispose();
    }
}
