using System.Xml.Linq;

namespace InferenceServer.House.Tests;

/// <summary>Who may know whom: every library references Core alone; the front hall references them all; nothing references the front hall.</summary>
public class ArrowTests
{
    private const string Hall = "InferenceServer";
    private const string Core = "InferenceServer.Core";

    [Fact]
    public void Every_library_references_Core_alone()
    {
        foreach (string project in Repository.Projects("src"))
        {
            string name = Path.GetFileNameWithoutExtension(project);
            string[] expected = name switch { Core => [], Hall => References(project), _ => [Core] };
            Assert.True(expected.SequenceEqual(References(project)), $"{name} references {string.Join(", ", References(project))}; it may reference {string.Join(", ", expected)}.");
        }
    }

    [Fact]
    public void The_front_hall_references_every_library()
    {
        string[] libraries = [.. Repository.Projects("src").Select(Path.GetFileNameWithoutExtension).Where(n => n != Hall).Order()!];
        string hall = Repository.Projects("src").Single(p => Path.GetFileNameWithoutExtension(p) == Hall);
        Assert.Equal(libraries, References(hall).Order());
    }

    [Fact]
    public void Libraries_use_no_packages()
    {
        foreach (string project in Repository.Projects("src").Where(p => Path.GetFileNameWithoutExtension(p) != Hall))
            Assert.Empty(XDocument.Load(project).Descendants("PackageReference"));
    }

    [Fact]
    public void Core_does_no_input_output_and_is_safe()
    {
        foreach ((string path, string text) in Repository.Sources("src/InferenceServer.Core"))
        {
            Assert.DoesNotContain("System.IO", text, StringComparison.Ordinal);
            Assert.False(text.Contains("unsafe ", StringComparison.Ordinal), $"{path} is unsafe.");
        }
    }

    [Fact]
    public void The_engine_knows_no_text_and_no_web()
    {
        foreach ((string path, string text) in Repository.Sources("src/InferenceServer.Engine"))
        {
            Assert.False(text.Contains("InferenceServer.Core.Text", StringComparison.Ordinal), $"{path} knows text.");
            Assert.False(text.Contains("AspNetCore", StringComparison.Ordinal), $"{path} knows the web.");
        }
    }

    private static string[] References(string project) =>
        [.. XDocument.Load(project).Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')))];
}
