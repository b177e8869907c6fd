using System.Diagnostics;
using System.Text.RegularExpressions;

namespace InferenceServer.House.Tests;

/// <summary>The repository as files.</summary>
internal static partial class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>Every C# file of our own, with its path from the root.</summary>
    public static IEnumerable<(string Path, string Text)> Sources(params string[] folders) =>
        from folder in folders
        let full = Path.Combine(Root, folder)
        where Directory.Exists(full)
        from file in Directory.EnumerateFiles(full, "*.cs", SearchOption.AllDirectories)
        where !BuildOutput().IsMatch(file)
        select (Path.GetRelativePath(Root, file), File.ReadAllText(file));

    public static IEnumerable<string> Projects(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories).Where(p => !BuildOutput().IsMatch(p));

    /// <summary>Every file that git tracks; fails where git or the checkout is missing.</summary>
    public static string[] TrackedFiles()
    {
        using Process git = Process.Start(new ProcessStartInfo("git", "ls-files -z") { WorkingDirectory = Root, RedirectStandardOutput = true })!;
        string output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return output.Split('\0', StringSplitOptions.RemoveEmptyEntries);
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("InferenceServer.sln is in no folder above the tests.");
    }

    [GeneratedRegex(@"[\\/](bin|obj|node_modules)[\\/]")]
    private static partial Regex BuildOutput();
}
