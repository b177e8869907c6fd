using System.Diagnostics;
using InferenceServer.CpuBench.Runs;

namespace InferenceServer.CpuBench.Servers;

/// <summary>
/// What running streams feel of a long prompt: gaps between the tokens of 8 streams from a prompt's arrival to its first token, and while nothing else
/// happens, on the same server and the same streams. The latter is as long before the prompt as behind it, for the streams themselves grow slower as they
/// grow longer: what they take without a prompt lies between both.
/// </summary>
internal sealed class Interference(TextWriter progress)
{
    public const string AloneCase = "streams-alone", BesideCase = "streams-beside-prompt";

    public const int Streams = 8, StreamPrompt = 128, LongPrompt = 4096;

    private const int StreamTokens = 3072; // more than is generated until the prompt is done
    private const int WarmTokens = 16;
    private static readonly TimeSpan AloneTime = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    /// <summary>Both runs: alone, and beside the prompt; the second carries the prompt's own time to first token.</summary>
    public async Task<(BenchRun Alone, BenchRun Beside)> RunAsync(string format, ServerPlan plan)
    {
        using ServerUnderTest server = plan.Start();
        using HttpClient http = new() { BaseAddress = server.Url, Timeout = Timeout.InfiniteTimeSpan };
        using CancellationTokenSource stopping = new(Limit);
        TimedStream[] streams = [.. Enumerable.Range(0, Streams).Select(i => TimedStream.Start(http, Prompt(StreamPrompt, i), StreamTokens, stopping.Token))];
        await Until(() => streams.All(s => s.Stamps.Length >= WarmTokens), streams, stopping.Token);

        long begin = Stopwatch.GetTimestamp();
        await Until(() => Stopwatch.GetElapsedTime(begin) >= AloneTime, streams, stopping.Token);
        long arrival = Stopwatch.GetTimestamp();
        TimedStream prompt = TimedStream.Start(http, Prompt(LongPrompt, Streams), maxTokens: 8, stopping.Token);
        await Until(() => prompt.Stamps.Length > 0, [.. streams, prompt], stopping.Token);
        long first = prompt.Stamps[0];
        await Until(() => prompt.Reading.IsCompleted, streams, stopping.Token);
        long left = Stopwatch.GetTimestamp();
        await Until(() => Stopwatch.GetElapsedTime(left) >= AloneTime, streams, stopping.Token);
        long end = Stopwatch.GetTimestamp();
        await stopping.CancelAsync();
        await Task.WhenAll(streams.Append(prompt).Select(s => s.Reading));

        BenchRun alone = Of(AloneCase, (begin, arrival), (left, end)), beside = Of(BesideCase, (arrival, first)) with { TtftP95Ms = Stopwatch.GetElapsedTime(arrival, first).TotalMilliseconds };
        foreach (BenchRun run in new[] { alone, beside }) progress.WriteLine($"{format,-8} {run.Case,-21} ITL p99 {run.ItlP99Ms:F1} ms");
        return (alone, beside);

        BenchRun Of(string @case, params (long After, long Until)[] spans)
        {
            double[] gaps = [.. spans.SelectMany(span => streams.SelectMany(s => TimedStream.Gaps(s.Stamps, span.After, span.Until))).Order()];
            if (gaps.Length == 0) throw new BenchException($"No stream wrote a token during '{@case}'.");
            return new BenchRun
            {
                Side = plan.Side,
                Format = format,
                Case = @case,
                Flags = string.Join(' ', plan.Flags),
                TokensPerSecond = gaps.Length / spans.Sum(span => Stopwatch.GetElapsedTime(span.After, span.Until).TotalSeconds),
                ItlP99Ms = 1000 * gaps[(int)Math.Ceiling(0.99 * gaps.Length) - 1],
            };
        }
    }

    private static async Task Until(Func<bool> done, IReadOnlyList<TimedStream> streams, CancellationToken stopping)
    {
        while (!done())
        {
            if (streams.FirstOrDefault(s => s.Reading.IsCompleted) is { } ended)
            {
                await ended.Reading; // throws what it failed with
                if (!done()) throw new BenchException($"A stream ended after {ended.Stamps.Length} pieces of text, before the measurement did, or after {Limit.TotalMinutes:F0} minutes.");
                return;
            }

            await Task.Delay(10, CancellationToken.None);
        }

        stopping.ThrowIfCancellationRequested();
    }

    private static int[] Prompt(int length, int seed)
    {
        Random random = new(1000 + seed);
        int[] prompt = new int[length];
        for (int i = 0; i < length; i++) prompt[i] = random.Next(300, 1000); // above the control and byte tokens, within the smallest made vocabulary
        return prompt;
    }
}
