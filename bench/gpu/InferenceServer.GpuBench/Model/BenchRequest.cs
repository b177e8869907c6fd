using System.Diagnostics;
using InferenceServer.Core.Requests;

namespace InferenceServer.GpuBench.Model;

/// <summary>One running request and when its tokens came, by the engine's clock. Read by a task of the pool, asked by the benchmark.</summary>
internal sealed class BenchRequest
{
    private readonly Generation _generation;
    private readonly List<long> _stamps = [];
    private readonly Lock _lock = new();
    private readonly Task _reading;
    private string? _error;

    private BenchRequest(Generation generation)
    {
        _generation = generation;
        _reading = ReadAsync();
    }

    /// <summary>Tokens so far.</summary>
    public int Tokens
    {
        get
        {
            lock (_lock) return _stamps.Count;
        }
    }

    /// <exception cref="InvalidOperationException">The engine refused it.</exception>
    public static BenchRequest Submit(IEngine engine, string id, int[] prompt, int maxTokens)
    {
        Submission submission = engine.Submit(new EngineRequest
        {
            RequestId = id,
            PromptTokens = prompt,
            Sampling = new SamplingParameters { Temperature = 0 },
            MaxTokens = maxTokens,
        });
        return new BenchRequest(submission.Generation ?? throw new InvalidOperationException($"The engine refused a request: {submission.Rejection!.Message}"));
    }

    /// <exception cref="TimeoutException">They did not come in time.</exception>
    /// <exception cref="InvalidOperationException">The request failed or ended before.</exception>
    public void WaitForTokens(int count, TimeSpan patience)
    {
        long started = Stopwatch.GetTimestamp();
        while (Tokens < count)
        {
            if (_reading.IsCompleted && Tokens < count) throw new InvalidOperationException($"A request ended after {Tokens} of {count} tokens: {_error ?? "it was not told why"}");
            if (Stopwatch.GetElapsedTime(started) > patience) throw new TimeoutException($"{Tokens} of {count} tokens came in {patience.TotalSeconds:F0} s.");
            Thread.Sleep(1); // stamps are the engine's own: looking late costs no accuracy
        }
    }

    /// <summary>Between its tokens of these numbers, from 0.</summary>
    public double SecondsBetween(int first, int last)
    {
        lock (_lock) return (_stamps[last] - _stamps[first]) / (double)TimeProvider.System.TimestampFrequency;
    }

    /// <summary>Cancels it and waits until the engine has let go of it.</summary>
    public void End()
    {
        _generation.Cancel();
        _reading.Wait(TimeSpan.FromSeconds(5));
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
