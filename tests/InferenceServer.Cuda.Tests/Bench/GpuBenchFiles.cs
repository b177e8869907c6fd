using System.Diagnostics;

namespace InferenceServer.Cuda.Tests.Bench;

/// <summary>bench/gpu as files, the program that was built from it, and a way to run both.</summary>
internal static class GpuBenchFiles
{
    public static string Root { get; } = FindRoot();

    public static string Scripts { get; } = Path.Combine(Root, "bench", "gpu");

    /// <summary>Stand-ins for the CUDA toolkit's programs.</summary>
    public static string Tools { get; } = Path.Combine(Root, "tests", "InferenceServer.Cuda.Tests", "Bench", "tools");

    /// <summary>Stand-ins for PyTorch and transformers.</summary>
    public static string Python { get; } = Path.Combine(Path.GetDirectoryName(Tools)!, "python");

    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "InferenceServer.GpuBench");

    public static string NewFolder() => Directory.CreateTempSubdirectory("gpu-bench-test-").FullName;

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Exit status and all it printed.</returns>
    public static (int Status, string Output) Run(string program, IEnumerable<string> arguments, params ReadOnlySpan<(string Name, string Value)> environment)
    {
        ProcessStartInfo start = new(program, arguments) { WorkingDirectory = Root, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }

    /// <summary>Skips the test, and says so, where a program is not installed.</summary>
    public static void Require(string program)
    {
        bool found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        if (!found) Assert.Skip($"{program} is not installed here.");
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("InferenceServer.sln is in no folder above the tests.");
    }
}
