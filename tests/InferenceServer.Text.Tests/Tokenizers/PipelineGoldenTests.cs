using System.Text;
using System.Text.Json.Nodes;
using InferenceServer.Core.Text;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>
/// Normalizers and pre-tokenizers beside what Hugging Face's tokenizers 0.23.2 made of the same texts (bench/tokenizer-peer/make-goldens.mjs).
/// The model knows single characters and which of them end a piece, so text and borders of the pieces show in the ids.
/// </summary>
public sealed class PipelineGoldenTests
{
    private static readonly JsonNode[] Rows = [.. File.ReadLines(TestFiles.Golden("pipeline.jsonl")).Select(static line => JsonNode.Parse(line)!)];
    private static readonly string[] Texts = [.. Rows[0]["texts"]!.AsArray().Select(static text => text!.GetValue<string>())];
    private static readonly string[] Letters = [.. Rows[0]["letters"]!.AsArray().Select(static letter => letter!.GetValue<string>())];

    public static TheoryData<string> Cases => new(Rows.Skip(1).Select(static row => row["name"]!.GetValue<string>()));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Pieces_are_those_of_the_peer(string name)
    {
        JsonNode row = Rows.Skip(1).Single(row => row["name"]!.GetValue<string>() == name);
        ITokenizer tokenizer = TestFiles.Load(CharacterModel(row));
        for (int i = 0; i < Texts.Length; i++)
            Assert.Equal(row["pieces"]![i]!.GetValue<string>(), Show(TestFiles.Encode(tokenizer, Texts[i])));
    }

    private static JsonObject CharacterModel(JsonNode row)
    {
        JsonObject vocabulary = new() { ["<unk>"] = 0 };
        for (int i = 0; i < Letters.Length; i++)
        {
            vocabulary[Letters[i]] = 2 * i + 1;
            vocabulary[Letters[i] + "</w>"] = 2 * i + 2;
        }

        return new JsonObject
        {
            ["normalizer"] = row["normalizer"]?.DeepClone(),
            ["pre_tokenizer"] = row["pre_tokenizer"]?.DeepClone(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["end_of_word_suffix"] = "</w>",
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray(),
            },
        };
    }

    private static string Show(List<int> ids)
    {
        StringBuilder shown = new();
        foreach (int id in ids)
            shown.Append(id == 0 ? "\uFFFE" : Letters[(id - 1) / 2] + (id % 2 == 0 ? "\uFFFF" : ""));
        return shown.ToString();
    }
}
