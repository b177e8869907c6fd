using System.Text.RegularExpressions;

namespace InferenceServer.House.Tests;

/// <summary>The house rules that a program can check.</summary>
public partial class CodeTests(ITestOutputHelper output)
{
    private const int FileLimit = 400;

    [Fact]
    public void No_catch_swallows()
    {
        foreach ((string path, string text) in Repository.Sources("src", "tests", "bench"))
            Assert.False(EmptyCatch().IsMatch(text), $"{path} has an empty catch; say in it why nothing needs doing, or let the exception pass.");
    }

    [Fact]
    public void Nothing_is_left_to_do()
    {
        // Spelled apart, so that this file does not find itself.
        string[] words = ["TO" + "DO", "FIX" + "ME", "HA" + "CK", "NotImplemented" + "Exception"];
        foreach ((string path, string text) in Repository.Sources("src", "tests", "bench"))
            foreach (string word in words) Assert.False(Regex.IsMatch(text, $@"\b{word}\b"), $"{path} contains {word}.");
    }

    [Fact]
    public void Files_fit_in_the_head()
    {
        List<(int Lines, string Path)> sizes = [.. Repository.Sources("src").Select(s => (s.Text.AsSpan().Count('\n'), s.Path)).OrderDescending()];
        foreach ((int lines, string path) in sizes.Take(10)) output.WriteLine($"{lines,5} {path}");
        output.WriteLine($"median {sizes[sizes.Count / 2].Lines} lines in {sizes.Count} files");
        Assert.All(sizes, s => Assert.True(s.Lines <= FileLimit, $"{s.Path} has {s.Lines} lines; split it at its joint."));
    }

    [Fact]
    public void Folders_below_src_are_at_most_three_deep()
    {
        foreach ((string path, _) in Repository.Sources("src"))
            Assert.True(path.Split('/', '\\').Length - 2 <= 3, $"{path} is too deep.");
    }

    [Fact]
    public void Every_room_explains_itself_in_sixty_lines()
    {
        foreach (string project in Repository.Projects("src"))
        {
            string readme = Path.Combine(Path.GetDirectoryName(project)!, "README.md");
            Assert.True(File.Exists(readme), $"{readme} is missing.");
            Assert.True(File.ReadLines(readme).Count() <= 60, $"{readme} is longer than 60 lines.");
        }
    }

    [Fact]
    public void No_room_for_odds_and_ends()
    {
        foreach ((string path, string text) in Repository.Sources("src", "tests", "bench"))
            Assert.False(OddsAndEnds().IsMatch(text), $"{path} declares a type or namespace named Common, Utils, Helpers or Manager.");
    }

    [Fact]
    public void Unsafe_lives_on_islands()
    {
        string[] islands = ["InferenceServer.Cpu", "InferenceServer.Cuda", "InferenceServer.Onnx", "InferenceServer.Models/Files", "InferenceServer.Models\\Files"];
        foreach ((string path, string text) in Repository.Sources("src").Where(s => !islands.Any(i => s.Path.Contains(i, StringComparison.Ordinal))))
            Assert.False(Unsafe().IsMatch(text), $"{path} is unsafe outside the islands.");
    }

    [Fact]
    public void Nothing_private_or_built_is_tracked()
    {
        string[] tracked = Repository.TrackedFiles();
        Assert.DoesNotContain(tracked, f => f.Contains("/bin/", StringComparison.Ordinal) || f.Contains("/obj/", StringComparison.Ordinal) || f.Contains("node_modules", StringComparison.Ordinal));
        Assert.All(tracked, f => Assert.True(new FileInfo(Path.Combine(Repository.Root, f)).Length <= 9 << 20, $"{f} is larger than 9 MB."));
    }

    [GeneratedRegex(@"catch\s*(\([^)]*\))?\s*(when\s*\([^{]*\))?\s*\{\s*\}")]
    private static partial Regex EmptyCatch();

    [GeneratedRegex(@"\b(class|struct|record|namespace)\s+[\w.]*(Common|Utils|Helpers?|Managers?)\b")]
    private static partial Regex OddsAndEnds();

    [GeneratedRegex(@"^\s*(\w+\s+)*unsafe\s", RegexOptions.Multiline)]
    private static partial Regex Unsafe();
}
