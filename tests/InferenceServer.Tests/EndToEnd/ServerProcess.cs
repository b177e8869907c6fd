using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>The executable as a user starts it, in a process of its own.</summary>
internal sealed partial class ServerProcess : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServerProcess(string arguments, IReadOnlyDictionary<string, string>? environment)
    {
        ProcessStartInfo start = new("dotnet", $"\"{Path.Combine(AppContext.BaseDirectory, "InferenceServer.dll")}\" {arguments}")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = TestModels.Root,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, e) => Take(e.Data);
        _process.ErrorDataReceived += (_, e) => Take(e.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Everything printed so far, both streams.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <summary>Completes with the HTTP address once the server says it is ready.</summary>
    public Task<string> ReadyAsync() => _ready.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

    public static ServerProcess Start(string arguments, IReadOnlyDictionary<string, string>? environment = null) => new(arguments, environment);

    /// <summary>Runs a command to its end.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string arguments, string input = "")
    {
        using ServerProcess process = new(arguments, null);
        await process._process.StandardInput.WriteAsync(input);
        process._process.StandardInput.Close();
        int exitCode = await process.ExitAsync();
        return (exitCode, process.Output);
    }

    /// <summary>SIGTERM, as a service manager sends it.</summary>
    public void Terminate() => Process.Start("kill", ["-TERM", $"{_process.Id}"])!.WaitForExit();

    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null) return;
        lock (_output) _output.AppendLine(line);
        if (ReadyLine().Match(line) is { Success: true } match) _ready.TrySetResult(match.Groups[1].Value);
    }

    [GeneratedRegex(@"ready: model \S+ on (http://\S+),")]
    private static partial Regex ReadyLine();
}
