using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace InferenceServer.CpuBench.Servers;

/// <summary>A server as a child process, ours or llama.cpp's: started on a free port, ready when /health says so, stopped as an orchestrator would.</summary>
internal sealed class ServerUnderTest : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);
    private const int LinesKept = 8;

    private readonly Process _process;
    private readonly Queue<string> _lastLines = new();

    private ServerUnderTest(Process process, Uri url)
    {
        _process = process;
        Url = url;
    }

    public Uri Url { get; }

    /// <summary>Resident now, and the most it ever was.</summary>
    public (long Steady, long Peak) Memory
    {
        get
        {
            _process.Refresh();
            return (_process.WorkingSet64, _process.PeakWorkingSet64);
        }
    }

    /// <param name="arguments">Without the port.</param>
    /// <exception cref="BenchException">It ended, or was not ready in time.</exception>
    public static ServerUnderTest Start(string program, IReadOnlyList<string> arguments)
    {
        int port = FreePort();
        ProcessStartInfo start = new(program, [.. arguments, "--host", "127.0.0.1", "--port", port.ToString()]) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process = new() { StartInfo = start };
        ServerUnderTest server = new(process, new Uri($"http://127.0.0.1:{port}"));
        process.OutputDataReceived += (_, e) => server.Keep(e.Data);
        process.ErrorDataReceived += (_, e) => server.Keep(e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            server.WaitUntilReady();
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            using (Process kill = Process.Start("kill", ["-TERM", _process.Id.ToString()])) kill.WaitForExit();
            if (!_process.WaitForExit(StopLimit))
            {
                _process.Kill(entireProcessTree: true);
                _process.WaitForExit();
            }
        }

        _process.Dispose();
    }

    private void WaitUntilReady()
    {
        using HttpClient http = new() { BaseAddress = Url, Timeout = TimeSpan.FromSeconds(5) };
        long started = Stopwatch.GetTimestamp();
        while (!IsReady(http))
        {
            if (_process.HasExited) throw new BenchException($"{Name} ended with {_process.ExitCode} before it was ready: {LastLines}");
            if (Stopwatch.GetElapsedTime(started) > StartLimit) throw new BenchException($"{Name} was not ready within {StartLimit.TotalMinutes:F0} minutes: {LastLines}");
            Thread.Sleep(100);
        }
    }

    private static bool IsReady(HttpClient http)
    {
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "health");
            using HttpResponseMessage response = http.Send(request);
            return response.IsSuccessStatusCode; // both say 503 while they load
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false; // it does not listen yet
        }
    }

    private string Name => Path.GetFileName(_process.StartInfo.FileName);

    private string LastLines
    {
        get
        {
            lock (_lastLines) return string.Join(" | ", _lastLines);
        }
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (_lastLines)
        {
            _lastLines.Enqueue(line);
            if (_lastLines.Count > LinesKept) _lastLines.Dequeue();
        }
    }

    /// <summary>Free a moment ago, which is the best that a program which takes no socket can be given.</summary>
    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
