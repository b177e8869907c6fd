using System.Diagnostics;

namespace InferenceServer.CpuBench;

/// <summary>What a program printed and how it ended.</summary>
internal sealed record ProgramResult(int ExitStatus, string Output, string Errors)
{
    /// <summary>The end of what it complained about, for a message.</summary>
    public string LastErrors => string.Join(" | ", Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).TakeLast(4));
}

/// <summary>Runs a program to its end.</summary>
internal static class ChildProgram
{
    /// <summary>This program once more, in a process of its own.</summary>
    public static ProgramResult RunSelf(IReadOnlyList<string> arguments, TimeSpan limit, IReadOnlyDictionary<string, string>? environment = null)
    {
        string host = Environment.ProcessPath ?? throw new BenchException("This platform does not say where this program is.");
        bool isHost = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase); // started as "dotnet FILE.dll"
        return Run(host, isHost ? [typeof(ChildProgram).Assembly.Location, .. arguments] : arguments, limit, environment);
    }

    /// <exception cref="BenchException">It took longer than the limit; it was stopped.</exception>
    public static ProgramResult Run(string path, IReadOnlyList<string> arguments, TimeSpan limit, IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        using Process process = Process.Start(start) ?? throw new BenchException($"'{path}' did not start.");
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            throw new BenchException($"{Path.GetFileName(path)} {string.Join(' ', arguments)} took longer than {limit.TotalSeconds:F0} s and was stopped.");
        }

        process.WaitForExit(); // and its output has been read
        return new ProgramResult(process.ExitCode, output.Result, errors.Result);
    }
}
