using System.Text.RegularExpressions;

namespace InferenceServer.CpuBench.Peer;

/// <summary>The folder of llama.cpp's programs that the user named.</summary>
internal sealed partial class LlamaCppFolder
{
    private readonly string _path;

    /// <exception cref="BenchException">llama-bench is not in it.</exception>
    public LlamaCppFolder(string path)
    {
        _path = Path.GetFullPath(path);
        if (!File.Exists(ProgramPath("llama-bench")))
            throw new BenchException($"'{path}' holds no llama-bench; --llama-cpp names the folder of llama.cpp's programs, usually build/bin of its source.");
    }

    /// <summary>Such as "0.5.0-dev (build 1, commit de3ff81)".</summary>
    public string Version()
    {
        ProgramResult result = ChildProgram.Run(ProgramPath("llama-bench"), ["--version"], TimeSpan.FromSeconds(20));
        return VersionLine().Match(result.Output + "\n" + result.Errors) is { Success: true } match ? match.Groups[1].Value.Trim() : "of unknown version";
    }

    public string ProgramPath(string name) => Path.Combine(_path, OperatingSystem.IsWindows() ? name + ".exe" : name);

    /// <summary>What it printed.</summary>
    /// <exception cref="BenchException">It is not there, failed or took too long.</exception>
    public string Run(string program, TimeSpan limit, params IReadOnlyList<string> arguments)
    {
        string path = ProgramPath(program);
        if (!File.Exists(path)) throw new BenchException($"'{path}' does not exist; build llama.cpp with its tools.");
        ProgramResult result = ChildProgram.Run(path, arguments, limit);
        if (result.ExitStatus != 0) throw new BenchException($"{program} {string.Join(' ', arguments)} ended with {result.ExitStatus}: {result.LastErrors}");
        return result.Output;
    }

    [GeneratedRegex(@"version: (.+)")]
    private static partial Regex VersionLine();
}
