using System.Text.Json;
using System.Text.Json.Nodes;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Finds the repository's own goldens and the third-party data beside it, and loads each tokenizer once.</summary>
internal static class TestFiles
{
    private static readonly Dictionary<string, Lazy<ITokenizer>> Loaded = [];

    public static readonly string[] Names =
        ["gpt2", "llama2", "llama3.1-rebuilt", "mistral-v0.1", "mistral-v0.3-rebuilt", "phi-2", "phi-3-mini-4k", "qwen2"];

    public static string Repository { get; } = FindRepository();

    public static string Data => Path.Combine(Repository, "..", "shared", "data", "tokenizers");

    public static string Golden(string name) =>
        Path.Combine(Repository, "tests", "InferenceServer.Text.Tests", "Tokenizers", "Goldens", name);

    /// <summary>A path under the third-party data; the test is skipped where the data is absent.</summary>
    public static string Require(params string[] parts)
    {
        string path = Path.Combine([Data, .. parts]);
        Assert.SkipUnless(File.Exists(path), $"Third-party test data is absent: {path}");
        return path;
    }

    public static ITokenizer Tokenizer(string name)
    {
        string path = Require("hf", name, "tokenizer.json");
        Lazy<ITokenizer>? tokenizer;
        lock (Loaded)
            if (!Loaded.TryGetValue(name, out tokenizer))
                Loaded[name] = tokenizer = new Lazy<ITokenizer>(() => TokenizerJson.Load(path));
        return tokenizer.Value;
    }

    /// <summary>The texts of the expected rows: hard cases in many languages.</summary>
    public static string[] Texts()
    {
        string path = Require("expected", "qwen2.jsonl");
        return [.. File.ReadLines(path).Select(static line => JsonNode.Parse(line)!["text"]!.GetValue<string>())];
    }

    public static ITokenizer Load(JsonNode tokenizer) => TokenizerJson.Load(JsonSerializer.SerializeToUtf8Bytes(tokenizer), "test.json");

    public static List<int> Encode(ITokenizer tokenizer, string text, bool addSpecial = false, bool parseSpecial = true, params TextRange[] literal)
    {
        List<int> ids = [];
        tokenizer.Encode(text, new EncodeOptions { AddSpecial = addSpecial, ParseSpecial = parseSpecial, Literal = literal }, ids);
        return ids;
    }

    private static string FindRepository()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln")))
                return folder.FullName;
        throw new InvalidOperationException("No InferenceServer.sln above " + AppContext.BaseDirectory);
    }
}
