using System.Text.Json.Nodes;
using InferenceServer.Core.Text;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Models, added tokens, post-processors and decoders beside Hugging Face's tokenizers 0.23.2 (bench/tokenizer-peer/make-model-goldens.mjs).</summary>
public sealed class ModelGoldenTests
{
    private static readonly JsonNode[] Rows = [.. File.ReadLines(TestFiles.Golden("models.jsonl")).Select(static line => JsonNode.Parse(line)!)];

    public static TheoryData<string> Cases => new(Rows.Select(static row => row["name"]!.GetValue<string>()));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Ids_are_those_of_the_peer(string name)
    {
        JsonNode row = Row(name);
        ITokenizer tokenizer = TestFiles.Load(row["file"]!);
        for (int i = 0; i < row["texts"]!.AsArray().Count; i++)
        {
            string text = row["texts"]![i]!.GetValue<string>();
            Assert.Equal(Line(text, Ids(row["ids"]![i]![0]!)), Line(text, TestFiles.Encode(tokenizer, text, addSpecial: true)));
            Assert.Equal(Line(text, Ids(row["ids"]![i]![1]!)), Line(text, TestFiles.Encode(tokenizer, text)));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Decoded_text_is_that_of_the_peer(string name)
    {
        JsonNode row = Row(name);
        ITokenizer tokenizer = TestFiles.Load(row["file"]!);
        foreach (JsonNode? sample in row["decoded"]!.AsArray())
        {
            int[] ids = [.. Ids(sample![0]!)];
            Assert.Equal(sample[1]!.GetValue<string>(), tokenizer.Decode(ids, skipSpecial: true));
            Assert.Equal(sample[2]!.GetValue<string>(), tokenizer.Decode(ids, skipSpecial: false));
        }
    }

    private static JsonNode Row(string name) => Rows.Single(row => row["name"]!.GetValue<string>() == name);

    private static IEnumerable<int> Ids(JsonNode ids) => ids.AsArray().Select(static id => id!.GetValue<int>());

    private static string Line(string text, IEnumerable<int> ids) => text + " = " + string.Join(' ', ids);
}
