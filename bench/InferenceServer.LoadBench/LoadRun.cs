using System.Diagnostics;

namespace InferenceServer.LoadBench;

/// <summary>Sends the plan and keeps what came back; prints a line a second while it runs.</summary>
internal sealed class LoadRun(BenchOptions options, StreamingClient client, PromptWriter prompts)
{
    private int _inFlight, _finished, _failed;
    private long _tokens;

    public async Task<(IReadOnlyList<RequestRecord> Records, double Seconds)> RunAsync(IReadOnlyList<PlannedRequest> plan, CancellationToken cancellation)
    {
        for (int i = 0; i < options.Warmup; i++)
        {
            PlannedRequest first = plan[i % plan.Count] with { Index = -1 - i };
            RequestRecord warm = await client.SendAsync(first.Index, prompts.Body(first), cancellation);
            if (warm.Error is { } error) throw new InvalidDataException($"The first requests fail already ({error}); nothing was measured.");
        }

        using SemaphoreSlim places = new(options.Concurrency);
        using Timer progress = new(_ => Report(plan.Count), null, 1000, 1000);
        Task<RequestRecord>[] tasks = new Task<RequestRecord>[plan.Count];
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < plan.Count; i++)
        {
            byte[] body = prompts.Body(plan[i]);
            if (plan[i].At is { } at && TimeSpan.FromSeconds(at) - Stopwatch.GetElapsedTime(start) is { Ticks: > 0 } wait) await Task.Delay(wait, cancellation);
            await places.WaitAsync(cancellation);
            tasks[i] = SendAsync(plan[i].Index, body, places, cancellation);
        }

        RequestRecord[] records = await Task.WhenAll(tasks);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Report(plan.Count);
        if (!Console.IsErrorRedirected) await Console.Error.WriteLineAsync();
        return (records, seconds);
    }

    private async Task<RequestRecord> SendAsync(int index, byte[] body, SemaphoreSlim places, CancellationToken cancellation)
    {
        await Task.Yield(); // the sender goes on at once: arrivals must not wait for sends
        Interlocked.Increment(ref _inFlight);
        try
        {
            RequestRecord record = await client.SendAsync(index, body, cancellation);
            Interlocked.Add(ref _tokens, record.CompletionTokens);
            if (!record.Succeeded) Interlocked.Increment(ref _failed);
            return record;
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
            Interlocked.Increment(ref _finished);
            places.Release();
        }
    }

    private void Report(int total)
    {
        string end = Console.IsErrorRedirected ? "\n" : "\r";
        Console.Error.Write($"{Volatile.Read(ref _finished),6} of {total} done, {Volatile.Read(ref _inFlight),5} in flight, {Volatile.Read(ref _failed),4} failed, {Interlocked.Read(ref _tokens),9} tokens {end}");
    }
}
