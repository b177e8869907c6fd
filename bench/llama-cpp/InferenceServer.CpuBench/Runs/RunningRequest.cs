using System.Diagnostics;
using InferenceServer.Core.Requests;

namespace InferenceServer.CpuBench.Runs;

/// <summary>One greedy request in our engine and when its tokens were emitted, by the engine's clock. Read by a task of the pool, asked by the bench.</summary>
internal sealed class RunningRequest
{
    private readonly Core.Requests.Generation _generation;
    private readonly List<long> _stamps = [];
    private readonly Lock _lock = new();
    private readonly Task _reading;
    private string? _error;

    private RunningRequest(Core.Requests.Generation generation)
    {
        Submitted = Stopwatch.GetTimestamp();
        _generation = generation;
        _reading = ReadAsync();
    }

    /// <summary>Of <see cref="Stopwatch"/>, which is the engine's clock as well.</summary>
    public long Submitted { get; private init; }

    /// <summary>When its tokens came, so far.</summary>
    public long[] Stamps
    {
        get
        {
            lock (_lock) return [.. _stamps];
        }
    }

    /// <exception cref="BenchException">The engine refused it.</exception>
    public static RunningRequest Submit(IEngine engine, string id, int[] prompt, int maxTokens)
    {
        long submitted = Stopwatch.GetTimestamp();
        Submission submission = engine.Submit(new EngineRequest
        {
            RequestId = id,
            PromptTokens = prompt,
            Sampling = new SamplingParameters { Temperature = 0 },
            MaxTokens = maxTokens,
        });
        Core.Requests.Generation generation = submission.Generation ?? throw new BenchException($"The engine refused a request: {submission.Rejection!.Message}");
        return new RunningRequest(generation) { Submitted = submitted };
    }

    /// <exception cref="BenchException">They did not come in time, or the request failed before.</exception>
    public void WaitForTokens(int count)
    {
        TimeSpan patience = TimeSpan.FromMinutes(5);
        long started = Stopwatch.GetTimestamp();
        for (int tokens = Count(); tokens < count; tokens = Count())
        {
            if (_reading.IsCompleted && Count() < count) throw new BenchException($"A request ended after {tokens} of {count} tokens: {_error ?? "no error was given"}.");
            if (Stopwatch.GetElapsedTime(started) > patience) throw new BenchException($"{tokens} of {count} tokens came in {patience.TotalMinutes:F0} minutes.");
            Thread.Sleep(2); // stamps are the engine's own: looking late costs no accuracy, looking often costs the engine a processor
        }
    }

    /// <summary>Cancels it if it runs, and waits until the engine has let go of it.</summary>
    public void End()
    {
        _generation.Cancel();
        _reading.Wait(TimeSpan.FromSeconds(10));
    }

    private int Count()
    {
        lock (_lock) return _stamps.Count;
    }

    private async Task ReadAsync()
    {
        await foreach (TokenEvent token in _generation.Events.ReadAllAsync().ConfigureAwait(false))
        {
            if (token.Error is { } error) _error = error;
            if (token.Kind != TokenEventKind.Token) continue;
            lock (_lock) _stamps.Add(token.Timestamp);
        }
    }
}
