using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace InferenceServer.PacedStreams;

/// <summary>One server, one client process, one window of time.</summary>
internal static class Round
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1.5); // from the last stream's first token

    /// <param name="streams">How many at once.</param>
    /// <param name="rate">Tokens of each a second.</param>
    /// <param name="seconds">How long to measure.</param>
    /// <exception cref="ArgumentException">A number that is not positive.</exception>
    /// <exception cref="InvalidOperationException">The client could not hold its streams; it has said why.</exception>
    public static async Task<RoundResult> RunAsync(int streams, int rate, double seconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(streams);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rate);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(seconds);
        int maxTokens = (int)((seconds + 40) * rate); // the window, and 30 s for every stream to begin
        await using PacedServer server = await PacedServer.StartAsync(streams, rate, maxTokens);
        using Process client = ClientProcess.Start(server.Port, streams, maxTokens);
        await ExpectAsync(client);
        await Task.Delay(WarmUp);

        long from = Stopwatch.GetTimestamp();
        ProcessorMeter meter = new(client);
        long allocated = GC.GetTotalAllocatedBytes();
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        long to = Stopwatch.GetTimestamp();
        TimeSpan cpu = meter.Server;
        double? others = meter.Others();
        allocated = GC.GetTotalAllocatedBytes() - allocated;

        await client.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{from} {to}"));
        Latencies received = JsonSerializer.Deserialize<Latencies>(await ExpectAsync(client))!;
        Latencies flushed = LatencyLog.Summarize(server.Flushes, from, to);
        await client.WaitForExitAsync();
        if (client.ExitCode != 0) throw new InvalidOperationException($"The client process failed with exit code {client.ExitCode}.");
        return new RoundResult
        {
            Streams = streams,
            TokensPerSecond = flushed.Tokens / Stopwatch.GetElapsedTime(from, to).TotalSeconds,
            ServerCpuMicrosecondsPerToken = cpu.TotalMicroseconds / flushed.Tokens,
            WritesPerToken = (double)flushed.Groups / flushed.Tokens,
            AllocatedBytesPerToken = (double)allocated / flushed.Tokens,
            OthersShareOfProcessors = others,
            EmitToFlush = flushed,
            EmitToReceive = received,
        };
    }

    private static async Task<string> ExpectAsync(Process client) =>
        await client.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The client process ended early.");
}
