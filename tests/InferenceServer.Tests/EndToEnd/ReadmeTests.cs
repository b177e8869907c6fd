using System.Diagnostics;
using System.Text.RegularExpressions;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>What the README tells a newcomer to type, typed.</summary>
public partial class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(TestModels.Root, "README.md"));

    [Fact]
    public async Task The_curl_line_answers()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        string command = Block("sh").Single(b => b.StartsWith("curl", StringComparison.Ordinal));
        (int exitCode, string output) = await RunAsync("sh", ["-c", command.Replace("http://127.0.0.1:8080", server.HttpUrl, StringComparison.Ordinal)], TestModels.Root);
        Assert.Equal(0, exitCode);
        Assert.Contains("attention", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_official_client_streams()
    {
        string folder = Path.Combine(TestModels.Root, "tests", "conformance");
        Assert.SkipUnless(Directory.Exists(Path.Combine(folder, "node_modules")), "The Node clients are not installed: npm ci --prefix tests/conformance");
        await using RunningServer server = await RunningServer.StartAsync();
        string code = Block("js").Single().Replace("http://127.0.0.1:8080", server.HttpUrl, StringComparison.Ordinal);
        string file = Path.Combine(folder, "node_modules", $"readme-{Environment.ProcessId}.mjs"); // beside the packages, where git does not look
        await File.WriteAllTextAsync(file, code, TestContext.Current.CancellationToken);
        try
        {
            (int exitCode, string output) = await RunAsync("node", [file], folder);
            Assert.Equal(0, exitCode);
            Assert.Contains("--api-key", output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void What_it_names_exists()
    {
        HashSet<string> files = [.. Directory.EnumerateFiles(Path.Combine(TestModels.Root, "tests"), "*Tests.cs", SearchOption.AllDirectories).Select(f => Path.GetFileNameWithoutExtension(f)!)];
        foreach (Match test in TestName().Matches(Readme)) Assert.Contains(test.Groups[1].Value, files);
        foreach (Match project in ProjectPath().Matches(Readme))
            Assert.True(Directory.Exists(Path.Combine(TestModels.Root, project.Groups[1].Value)), $"README names {project.Groups[1].Value}, which is not there.");
        foreach (Match link in LocalLink().Matches(Readme))
            Assert.True(Path.Exists(Path.Combine(TestModels.Root, link.Groups[1].Value)), $"README links to {link.Groups[1].Value}, which is not there.");
    }

    private static IEnumerable<string> Block(string language) => CodeBlock().Matches(Readme).Where(m => m.Groups[1].Value == language).Select(m => m.Groups[2].Value);

    private static async Task<(int ExitCode, string Output)> RunAsync(string program, string[] arguments, string folder)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, WorkingDirectory = folder })!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output);
    }

    [GeneratedRegex(@"^```(\w+)\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"(?<!\.)\b(\w+Tests)`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"--project (\S+)")]
    private static partial Regex ProjectPath();

    [GeneratedRegex(@"\]\((?!http)([^)#]+)")]
    private static partial Regex LocalLink();
}
