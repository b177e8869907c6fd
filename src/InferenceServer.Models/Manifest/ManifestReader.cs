using System.Buffers;
using InferenceServer.Models.Architectures;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Files;

namespace InferenceServer.Models.Manifest;

/// <summary>
/// Reads a manifest strictly: unknown or repeated fields, paths that leave their folder and malformed hashes are refused.
/// manifest.schema.json says the same for editors; a test holds the two together.
/// </summary>
internal static class ManifestReader
{
    public static readonly string[] Fields =
        ["$schema", "id", "name", "description", "source", "licence", "architecture", "parameters", "contextLength", "folder", "files", "price", "goldens"];

    private const int Sha256Digits = 64;
    private const long MaxFileBytes = 1L << 50; // a petabyte

    private static readonly SearchValues<char> IdCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789.-_");
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <exception cref="ModelLoadException">Names the file, the field, its value and what was expected.</exception>
    public static ModelManifest Read(string path)
    {
        JsonFields json = JsonFields.ReadFile(path, refuseDuplicates: true);
        json.RefuseOthers(Fields);
        string architecture = json.Text("architecture");
        ArchitectureTable.Find(architecture, path);
        return new ModelManifest
        {
            Id = ReadId(json, path),
            Name = json.Text("name"),
            Description = json.Text("description"),
            Source = ReadSource(json.Object("source")),
            Licence = json.Text("licence"),
            Architecture = architecture,
            Parameters = json.LongOrNull("parameters", 1, long.MaxValue) ?? throw json.Wrong("parameters", "a count of at least 1"),
            ContextLength = json.Int("contextLength", 1, ConfigReader.MaxContext),
            Folder = RelativePathOrNull(json, "folder"),
            Files = ReadFiles(json),
            Price = json.ObjectOrNull("price") is { } price ? ReadPrice(price) : null,
            Goldens = json.ObjectOrNull("goldens") is { } goldens ? ReadGoldens(goldens) : null,
        };
    }

    private static string ReadId(JsonFields json, string path)
    {
        string id = json.Text("id");
        bool valid = id.Length is > 0 and <= 64 && !id.AsSpan().ContainsAnyExcept(IdCharacters) && char.IsAsciiLetterOrDigit(id[0]);
        if (!valid) throw json.Wrong("id", "up to 64 of a-z, 0-9, '.', '-' and '_', beginning with a letter or digit");
        return id == Path.GetFileNameWithoutExtension(path)
            ? id
            : throw json.Wrong("id", $"the file's own name, \"{Path.GetFileNameWithoutExtension(path)}\"");
    }

    private static ModelSource ReadSource(JsonFields json)
    {
        json.RefuseOthers("kind", "detail", "repository", "revision");
        ModelSource source = new()
        {
            Kind = json.Text("kind"),
            Detail = json.TextOrNull("detail"),
            Repository = json.TextOrNull("repository"),
            Revision = json.TextOrNull("revision"),
        };
        if (source.Kind is not ("builtin" or "huggingface")) throw json.Wrong("kind", "\"builtin\" or \"huggingface\"");
        if (source.Kind == "huggingface" && source.Repository is null) throw json.Wrong("repository", "owner/name of the repository");
        return source;
    }

    private static List<ModelFile> ReadFiles(JsonFields json)
    {
        List<ModelFile> files = [];
        HashSet<string> paths = [];
        foreach (JsonFields item in json.Objects("files"))
        {
            item.RefuseOthers("path", "bytes", "sha256");
            string path = RelativePathOrNull(item, "path") ?? throw item.Wrong("path", "a path below the model's folder");
            string sha256 = item.Text("sha256");
            if (sha256.Length != Sha256Digits || sha256.AsSpan().ContainsAnyExcept(HexDigits))
                throw item.Wrong("sha256", $"{Sha256Digits} lower-case hexadecimal digits");
            if (!paths.Add(path)) throw item.Wrong("path", "each file once");
            long bytes = item.LongOrNull("bytes", 0, MaxFileBytes) ?? throw item.Wrong("bytes", "the file's length");
            files.Add(new ModelFile(path, bytes, sha256));
        }

        return files;
    }

    private static ModelPrice ReadPrice(JsonFields json)
    {
        json.RefuseOthers("currency", "inputPerMillionTokens", "cachedInputPerMillionTokens", "outputPerMillionTokens");
        string currency = json.Text("currency");
        if (currency.Length != 3 || !currency.All(char.IsAsciiLetterUpper)) throw json.Wrong("currency", "a three-letter code such as \"USD\"");
        return new ModelPrice(currency, Price("inputPerMillionTokens"), Price("cachedInputPerMillionTokens"), Price("outputPerMillionTokens"));

        decimal Price(string name) => (decimal)json.Number(name, 0, 1e9);
    }

    private static ModelGoldens ReadGoldens(JsonFields json)
    {
        json.RefuseOthers("file", "minimumShare");
        string file = RelativePathOrNull(json, "file") ?? throw json.Wrong("file", "a path below the manifests' folder");
        return new ModelGoldens(file, json.Number("minimumShare", 0, 1));
    }

    /// <summary>A path that cannot leave its folder: forward slashes, no root, no drive, no "." or ".." part.</summary>
    private static string? RelativePathOrNull(JsonFields json, string name)
    {
        string? path = json.TextOrNull(name);
        if (path is null) return null;
        bool inside = path.AsSpan().IndexOfAny("\\:\0") < 0 && path.Split('/').All(part => part is not ("" or "." or ".."));
        return inside ? path : throw json.Wrong(name, "a relative path with forward slashes that stays in its folder");
    }
}
