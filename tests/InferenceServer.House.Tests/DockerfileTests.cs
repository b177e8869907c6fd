using System.Text.RegularExpressions;

namespace InferenceServer.House.Tests;

/// <summary>
/// Dockerfile.cuda, where no container engine is to build it: read as instructions and held to the repository. Its build steps are run as
/// commands by .ci/image-steps.
/// </summary>
public partial class DockerfileTests
{
    private static readonly string[] Known = ["FROM", "RUN", "COPY", "WORKDIR", "ENV", "EXPOSE", "USER", "HEALTHCHECK", "ENTRYPOINT"];

    private static readonly (string Name, string Arguments)[] Instructions =
    [
        .. File.ReadLines(Path.Combine(Repository.Root, "Dockerfile.cuda")).Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split(' ', 2)).Select(p => (p[0], p[1])),
    ];

    [Fact]
    public void Every_instruction_is_known_and_the_first_is_a_base() // one a line: a continued line would be read as an unknown instruction
    {
        Assert.Equal("FROM", Instructions[0].Name);
        Assert.All(Instructions, i => Assert.Contains(i.Name, Known));
    }

    [Fact]
    public void Every_stage_has_a_base_of_this_sdks_version_and_what_is_copied_from_is_a_stage()
    {
        Match[] stages = [.. Of("FROM").Select(a => Stage().Match(a))];
        Assert.All(stages, s => Assert.True(s.Success, "a base is not one of Microsoft's .NET images with a version and a name"));
        string sdk = Pattern(@"""version"": ""(\d+\.\d+)\.").Match(File.ReadAllText(Path.Combine(Repository.Root, "global.json"))).Groups[1].Value;
        Assert.All(stages, s => Assert.Equal(sdk, s.Groups["version"].Value));
        foreach (string from in Of("COPY").Where(a => a.StartsWith("--from=", StringComparison.Ordinal)))
            Assert.Contains(stages, s => s.Groups["name"].Value == from["--from=".Length..].Split(' ')[0]);
    }

    [Fact]
    public void Everything_that_is_copied_exists_is_tracked_and_not_ignored()
    {
        string[] tracked = Repository.TrackedFiles();
        string[] ignored = [.. File.ReadLines(Path.Combine(Repository.Root, ".dockerignore")).Select(l => l.TrimEnd('/'))];
        foreach (string copy in Of("COPY").Where(a => !a.StartsWith("--from=", StringComparison.Ordinal)))
        {
            foreach (string source in copy.Split(' ')[..^1])
            {
                Assert.True(source.EndsWith('/') ? tracked.Any(t => t.StartsWith(source, StringComparison.Ordinal)) : tracked.Contains(source), $"COPY {source}: git tracks no such thing.");
                Assert.DoesNotContain(source.TrimEnd('/'), ignored);
            }
        }
    }

    [Fact]
    public void Everything_that_the_published_projects_read_is_copied()
    {
        string[] copied = [.. Of("COPY").Where(a => !a.StartsWith("--from=", StringComparison.Ordinal)).SelectMany(a => a.Split(' ')[..^1]).Select(s => s.TrimEnd('/'))];
        foreach (string file in new[] { "Directory.Build.props", "Directory.Packages.props", ".editorconfig", "global.json", "src", "native", "models-manifest" })
            Assert.Contains(file, copied);
        string publish = Of("RUN").Single(a => a.StartsWith("dotnet publish ", StringComparison.Ordinal));
        Assert.True(Directory.Exists(Path.Combine(Repository.Root, publish.Split(' ')[2])), publish);
        Assert.Contains("clang-19", Of("RUN").First(), StringComparison.Ordinal);
    }

    [Fact]
    public void It_runs_without_rights()
    {
        int user = Array.FindLastIndex(Instructions, i => i.Name == "USER"), stage = Array.FindLastIndex(Instructions, i => i.Name == "FROM");
        Assert.True(user > stage, "the last stage names no user");
        Assert.DoesNotContain(Instructions[user].Arguments, new[] { "root", "0" });
    }

    [Fact]
    public void Its_ports_are_the_defaults_and_its_health_is_asked_of_the_server_itself()
    {
        string options = File.ReadAllText(Path.Combine(Repository.Root, "src", "InferenceServer", "Options", "ServerOptions.cs"));
        IEnumerable<string> defaults = Pattern(@"int Port { get; init; } = (\d+);").Matches(options).Select(m => m.Groups[1].Value);
        Assert.Equal(defaults, Of("EXPOSE").Single().Split(' '));
        string health = Of("HEALTHCHECK").Single(), entry = Of("ENTRYPOINT").Single();
        Assert.EndsWith($"CMD [{entry.Trim('[', ']')}, \"health\"]", health, StringComparison.Ordinal);
        Assert.Contains("new(\"health\",", File.ReadAllText(Path.Combine(Repository.Root, "src", "InferenceServer", "Commands", "HealthCommand.cs")), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Of(string name) => Instructions.Where(i => i.Name == name).Select(i => i.Arguments);

    private static Regex Pattern(string pattern) => new(pattern, RegexOptions.CultureInvariant);

    [GeneratedRegex(@"^mcr\.microsoft\.com/dotnet/(sdk|runtime-deps|aspnet):(?<version>\d+\.\d+) AS (?<name>\w+)$")]
    private static partial Regex Stage();
}
