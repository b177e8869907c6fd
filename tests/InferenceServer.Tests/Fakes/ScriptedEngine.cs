using InferenceServer.Core.Requests;

namespace InferenceServer.Tests.Fakes;

/// <summary>Answers every request with <see cref="Reply"/> at once, or as <see cref="Script"/> says, on a task of its own.</summary>
internal sealed class ScriptedEngine : IEngine
{
    private readonly Lock _lock = new();
    private readonly List<ScriptedGeneration> _generations = [];

    public string Reply { get; set; } = "Hello";

    public Func<ScriptedGeneration, Task>? Script { get; set; }

    /// <summary>Set: every request is refused with it.</summary>
    public RequestRejected? Rejection { get; set; }

    public EngineStatus Status { get; set; } = new();

    public IReadOnlyList<ScriptedGeneration> Generations
    {
        get
        {
            lock (_lock) return [.. _generations];
        }
    }

    public EngineRequest LastRequest => Generations[^1].Request;

    public Submission Submit(EngineRequest request)
    {
        if (Rejection is not null) return new Submission(null, Rejection);
        ScriptedGeneration generation = new(request);
        lock (_lock) _generations.Add(generation);
        if (Script is { } script) _ = Task.Run(() => script(generation));
        else generation.Answer(Reply);
        return new Submission(generation, null);
    }

    public Task DrainAsync(CancellationToken deadline) => Task.CompletedTask;
}
