using System.Text;
using InferenceServer.Core.Text;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>A tokenizer made of tables beside the same tokenizer made of a tokenizer.json, or beside llama.cpp's vectors.</summary>
internal static class TwoLoaders
{
    private static readonly string[] Hard =
    [
        "", " ", "  ", "   a", "a   ", "\n", "\r\n", "\t\t x", "▁", "▁▁a▁", " ▁ ", "<0x41>", "<s>", "x</s>y", "<unk>", "<0xE2><0x96>", "\u0000a\u0000", "é\u0301", "🦄👩‍👩‍👧‍👦", "𐎀",
        "\ud800x", "x\udc00", "for (int i = 0; i < n; ++i)\n\treturn i;\n", "مرحبا بالعالم", "日本語テキスト", "ﬁ ﷺ ½", "\u00a0\u2003\u3000x", "a\u200bb", new string(' ', 100), new string('a', 300),
    ];

    /// <summary>The texts of the expected rows and some that are hard in other ways.</summary>
    public static IEnumerable<string> Texts() => TestFiles.Texts().Concat(Hard);

    /// <summary>Ids with and without parsing, and their texts at once and token by token.</summary>
    public static void CheckSame(string text, ITokenizer tables, ITokenizer json, bool addSpecial)
    {
        foreach (bool parseSpecial in new[] { false, true })
        {
            List<int> ids = TestFiles.Encode(tables, text, addSpecial, parseSpecial);
            Assert.Equal($"{text} {string.Join(' ', TestFiles.Encode(json, text, addSpecial, parseSpecial))}", $"{text} {string.Join(' ', ids)}");
            foreach (bool skipSpecial in new[] { false, true })
            {
                string decoded = tables.Decode([.. ids], skipSpecial);
                Assert.Equal(json.Decode([.. ids], skipSpecial), decoded);
                Assert.Equal(decoded, Stream(tables, ids, skipSpecial));
            }
        }
    }

    private static string Stream(ITokenizer tokenizer, List<int> ids, bool skipSpecial)
    {
        StringBuilder text = new();
        IDetokenizer detokenizer = tokenizer.CreateDetokenizer(skipSpecial);
        foreach (int id in ids)
            text.Append(detokenizer.Append(id));
        return text.Append(detokenizer.Flush()).ToString();
    }

    public static void CheckVectors(ITokenizer tokenizer, string name)
    {
        string[] texts = File.ReadAllText(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf.inp")).Split("\n__ggml_vocab_test__\n");
        string[] ids = File.ReadAllLines(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf.out"));
        Assert.Equal(46, ids.Length);
        for (int i = 0; i < ids.Length; i++)
            Assert.Equal(ids[i].Trim(), string.Join(' ', TestFiles.Encode(tokenizer, texts[i], parseSpecial: false)));
    }
}
