using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>The model "llama" of a GGUF file beside the same model as tokenizer.json, beside llama.cpp's vectors, and beside a plain twin.</summary>
public sealed class ScoredPiecesTests
{
    private static readonly string[] Hard =
    [
        "", " ", "  ", "   a", "a   ", "\n", "\r\n", "\t\t x", "▁", "▁▁a▁", " ▁ ", "<0x41>", "<s>", "x</s>y", "<unk>", "<0xE2><0x96>", "\u0000a\u0000", "é\u0301", "🦄👩‍👩‍👧‍👦", "𐎀",
        "\ud800x", "x\udc00", "for (int i = 0; i < n; ++i)\n\treturn i;\n", "مرحبا بالعالم", "日本語テキスト", "ﬁ ﷺ ½", "\u00a0\u2003\u3000x", "a\u200bb", new string(' ', 100), new string('a', 300),
    ];

    [Theory]
    [InlineData("llama-spm", "llama2", true)]
    [InlineData("phi-3", "phi-3-mini-4k", false)] // Microsoft's tokenizer.json adds no BOS, the GGUF does
    public void A_published_file_gives_what_its_tokenizer_json_gives(string file, string name, bool addSpecial)
    {
        ITokenizer tables = TokenizerTablesLoader.Load(GgufTables.Read(TestFiles.Require("llama.cpp", $"ggml-vocab-{file}.gguf")));
        ITokenizer json = TestFiles.Tokenizer(name);
        foreach (string text in TestFiles.Texts().Concat(Hard))
            CheckSame(text, tables, json, addSpecial);
    }

    [Theory]
    [InlineData("llama2", "tokenizer.model")]
    [InlineData("mistral-v0.1", "tokenizer.model")]
    public void A_converted_model_gives_what_its_tokenizer_json_gives(string name, string model)
    {
        ITokenizer tables = TokenizerTablesLoader.Load(ConvertedTables.OfSentencePiece(TestFiles.Require("hf", name, model), TestFiles.Require("hf", name, "tokenizer.json")));
        ITokenizer json = TestFiles.Tokenizer(name);
        foreach (string text in TestFiles.Texts().Concat(Hard))
            CheckSame(text, tables, json, addSpecial: true);
    }

    [Theory]
    [InlineData("llama-spm")]
    [InlineData("phi-3")]
    public void Every_vector_of_llama_cpp_agrees(string name)
    {
        ITokenizer tokenizer = TokenizerTablesLoader.Load(GgufTables.Read(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf")));
        string[] texts = File.ReadAllText(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf.inp")).Split("\n__ggml_vocab_test__\n");
        string[] ids = File.ReadAllLines(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf.out"));
        Assert.Equal(46, ids.Length);
        for (int i = 0; i < ids.Length; i++)
            Assert.Equal(ids[i].Trim(), string.Join(' ', TestFiles.Encode(tokenizer, texts[i], parseSpecial: false)));
    }

    private static void CheckSame(string text, ITokenizer tables, ITokenizer json, bool addSpecial)
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
}
