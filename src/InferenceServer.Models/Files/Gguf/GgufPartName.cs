using System.Globalization;
using System.Text.RegularExpressions;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>The name of a GGUF file, or of one of the parts of a split one: name-00001-of-00003.gguf.</summary>
/// <param name="Folder">"" for the working directory.</param>
/// <param name="Name">Without the part and without .gguf.</param>
/// <param name="Part">From 1.</param>
/// <param name="Count">How many parts there are.</param>
internal sealed partial record GgufPartName(string Folder, string Name, int Part, int Count)
{
    public const string Extension = ".gguf";

    public static bool IsGguf(string path) => path.EndsWith(Extension, StringComparison.OrdinalIgnoreCase);

    public static GgufPartName Parse(string path)
    {
        string folder = System.IO.Path.GetDirectoryName(path) ?? "", file = System.IO.Path.GetFileNameWithoutExtension(path);
        Match match = PartPattern().Match(file);
        return match.Success
            ? new GgufPartName(folder, match.Groups[1].Value, Number(match.Groups[2]), Number(match.Groups[3]))
            : new GgufPartName(folder, file, 1, 1);
    }

    /// <summary>Of another part of the same model.</summary>
    public string PathOf(int part) => System.IO.Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture, $"{Name}-{part:D5}-of-{Count:D5}{Extension}"));

    private static int Number(Group group) => int.Parse(group.ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex("^(.+)-([0-9]{5})-of-([0-9]{5})$", RegexOptions.CultureInvariant)]
    private static partial Regex PartPattern();
}
