using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace InferenceServer.Soak;

/// <summary>The server under test as a child process: started, read, asked to stop. What it logs as an error is kept.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    // Small enough that the storm preempts sequences and evicts cached prefixes all the time; a real limit on bodies that is cheap to exceed.
    private static readonly string[] Defaults = ["--port", "0", "--grpc-port", "0", "--kv-memory", "24M", "--http-max-body-bytes", "4M"];
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(45);
    private const int ErrorsKept = 20;

    private readonly Process _process;
    private readonly TaskCompletionSource<Uri> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly List<string> _errors = [];

    private ServerProcess(Process process, string arguments)
    {
        _process = process;
        Arguments = arguments;
    }

    public string Arguments { get; }

    public int Id => _process.Id;

    public bool Alive => !_process.HasExited;

    /// <summary>Lines logged at error level or written by a dying runtime, in all.</summary>
    public int ErrorLines { get; private set; }

    public IReadOnlyList<string> FirstErrors
    {
        get { lock (_lock) return [.. _errors]; }
    }

    /// <exception cref="SoakException">The file is missing, or the server did not become ready.</exception>
    public static async Task<(ServerProcess Server, Uri Url)> StartAsync(SoakOptions options, CancellationToken cancellation)
    {
        string file = options.ServerFile ?? RepositoryFiles.ServerFile();
        if (!File.Exists(file)) throw new SoakException($"'{file}' does not exist. Build it with 'dotnet build src/InferenceServer -c {RepositoryFiles.Configuration}', or name another with --server.");
        // The later of two equal options would be an error, so that given ones replace ours.
        List<string> arguments = [];
        for (int i = 0; i < Defaults.Length; i += 2)
        {
            if (!options.ServerArguments.Any(a => a.Split('=')[0] == Defaults[i])) arguments.AddRange(Defaults.AsSpan(i, 2));
        }

        arguments.AddRange(options.ServerArguments);
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(file);
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        ServerProcess server = new(new Process { StartInfo = start, EnableRaisingEvents = true }, string.Join(' ', arguments));
        server.Listen();
        try
        {
            return (server, await server._ready.Task.WaitAsync(StartLimit, cancellation));
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            await server.DisposeAsync();
            throw new SoakException($"The server was not ready within {StartLimit.TotalSeconds} s.");
        }
    }

    /// <summary>SIGTERM, as an orchestrator would; null when it did not end in time.</summary>
    public async Task<int?> StopAsync()
    {
        using Process kill = Process.Start("kill", ["-TERM", Id.ToString(CultureInfo.InvariantCulture)]);
        using CancellationTokenSource limit = new(StopLimit);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            return _process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Alive)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private void Listen()
    {
        _process.OutputDataReceived += (_, e) => Read(e.Data);
        _process.ErrorDataReceived += (_, e) => Read(e.Data, error: true);
        _process.Exited += (_, _) => _ready.TrySetException(new SoakException("The server ended before it was ready: " + string.Join(" | ", FirstErrors)));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private void Read(string? line, bool error = false)
    {
        if (line is null) return;
        if (ReadyLine().Match(line) is { Success: true } ready) _ready.TrySetResult(new Uri(ready.Groups[1].Value));
        if (!error && !ErrorLine().IsMatch(line)) return;
        lock (_lock)
        {
            ErrorLines++;
            if (_errors.Count < ErrorsKept) _errors.Add(line);
        }
    }

    [GeneratedRegex(@"ready: model \S+ on (http://\S+?),")]
    private static partial Regex ReadyLine();

    [GeneratedRegex(@"\b(fail|crit): |Unhandled exception|Fatal error")]
    private static partial Regex ErrorLine();
}
