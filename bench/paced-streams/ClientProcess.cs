using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace InferenceServer.PacedStreams;

/// <summary>
/// The clients, in a process of their own, so that the server's CPU time is the server's alone. It says "ready" when every stream has begun,
/// then takes a line "FROM TO" (ticks) and answers with the <see cref="Latencies"/> of that window as JSON.
/// </summary>
internal static class ClientProcess
{
    public static Process Start(int port, int streams, int maxTokens)
    {
        string self = Environment.ProcessPath!;
        ProcessStartInfo start = new(self) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(self) == "dotnet") start.ArgumentList.Add(typeof(ClientProcess).Assembly.Location);
        foreach (object argument in new object[] { "client", port, streams, maxTokens })
            start.ArgumentList.Add(Convert.ToString(argument, CultureInfo.InvariantCulture)!);
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1"; // no hop to a pool thread for each token
        return Process.Start(start) ?? throw new InvalidOperationException("The client process did not start.");
    }

    public static async Task<int> RunAsync(int port, int streams, int maxTokens)
    {
        using CountdownEvent beginning = new(streams);
        StreamReader[] readers = [.. Enumerable.Range(0, streams).Select(_ => new StreamReader(maxTokens, () => beginning.Signal()))];
        foreach (StreamReader reader in readers) reader.Start(port, maxTokens - 8); // the prompt counts too
        if (!beginning.Wait(TimeSpan.FromSeconds(30)))
        {
            await Console.Error.WriteLineAsync($"{beginning.CurrentCount} of {streams} streams did not begin within 30 s. {FirstFailure(readers)}");
            return 1;
        }

        Console.WriteLine("ready");
        long[] window = [.. (Console.ReadLine() ?? "0 0").Split(' ').Select(ticks => long.Parse(ticks, CultureInfo.InvariantCulture))];
        if (FirstFailure(readers) is { } failure)
        {
            await Console.Error.WriteLineAsync(failure);
            return 1;
        }

        Console.WriteLine(JsonSerializer.Serialize(LatencyLog.Summarize(readers.Select(reader => reader.Log), window[0], window[1])));
        foreach (StreamReader reader in readers) reader.Dispose();
        return 0;
    }

    private static string? FirstFailure(StreamReader[] readers) => Array.Find(readers, reader => reader.Failure is not null)?.Failure;
}
