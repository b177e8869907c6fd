using InferenceServer.Engine;

namespace InferenceServer.Hosting;

/// <summary>A served model and what must be shut down with it. Disposing stops the engine's thread and frees weights and KV pool.</summary>
internal sealed class LoadedModel(ServedModel served, InferenceEngine engine) : IAsyncDisposable
{
    public ServedModel Served { get; } = served;

    public ValueTask DisposeAsync() => engine.DisposeAsync();
}
