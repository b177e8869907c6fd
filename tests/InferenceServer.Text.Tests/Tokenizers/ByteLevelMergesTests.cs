using System.Text.Json.Nodes;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using InferenceServer.Text.Tokenizers.Normalizing;
using InferenceServer.Text.Tokenizers.Tables;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>The model "gpt2" of a GGUF file beside the same model as tokenizer.json and beside llama.cpp's vectors.</summary>
public sealed class ByteLevelMergesTests
{
    private static readonly JsonNode[] Rows = [.. File.ReadLines(TestFiles.Golden("pre-tokenizers.jsonl")).Select(static line => JsonNode.Parse(line)!)];

    [Theory]
    [InlineData("llama3.1-rebuilt", "llama-bpe", "<|begin_of_text|>", 0)]
    [InlineData("gpt2", "gpt-2", null, 0)]
    [InlineData("phi-2", "phi-2", null, 51_200)]
    [InlineData("qwen2", "qwen2", null, 151_936)]
    public void Converted_tables_give_what_the_tokenizer_json_gives(string name, string pre, string? bos, int padTo)
    {
        ITokenizer tables = TokenizerTablesLoader.Load(ConvertedTables.OfByteLevel(TestFiles.Require("hf", name, "tokenizer.json"), pre, bos, padTo));
        ITokenizer json = TestFiles.Tokenizer(name);
        Assert.Equal(json.VocabularySize, tables.VocabularySize);
        foreach (string text in TwoLoaders.Texts())
        {
            // Qwen2's tokenizer.json composes characters first. Tables have no place for that, and llama.cpp does not.
            bool composed = name != "qwen2" || UnicodeNormalizer.Nfc.Normalize(text) == text;
            if (composed)
                TwoLoaders.CheckSame(text, tables, json, addSpecial: true);
        }
    }

    [Theory]
    [InlineData("gpt-2")]
    [InlineData("deepseek-llm")]
    public void Every_vector_of_llama_cpp_agrees(string name) =>
        TwoLoaders.CheckVectors(TokenizerTablesLoader.Load(GgufTables.Read(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf"))), name);

    [Theory]
    [InlineData("llama-bpe", "llama3.1-rebuilt")]
    [InlineData("qwen2", "qwen2")]
    public void Every_vector_of_llama_cpp_agrees_with_converted_tables(string pre, string name) =>
        TwoLoaders.CheckVectors(TokenizerTablesLoader.Load(ConvertedTables.OfByteLevel(TestFiles.Require("hf", name, "tokenizer.json"), pre)), pre);

    [Fact]
    public void A_published_file_reads_back_every_text()
    {
        ITokenizer tokenizer = TokenizerTablesLoader.Load(GgufTables.Read(TestFiles.Require("llama.cpp", "ggml-vocab-starcoder.gguf")));
        foreach (string text in TwoLoaders.Texts())
            Assert.Equal(Mended(text), tokenizer.Decode([.. TestFiles.Encode(tokenizer, text, parseSpecial: false)], skipSpecial: false));
    }

    public static TheoryData<string> Golden => new(Rows.Skip(1).Select(static row => row["pre"]!.GetValue<string>()));

    /// <summary>The ids are those of llama.cpp (0.5.0, llama_tokenize) for GPT-2's vocabulary with that name written in the file.</summary>
    [Theory]
    [MemberData(nameof(Golden))]
    public void Pieces_are_cut_as_llama_cpp_cuts_them(string pre)
    {
        ITokenizer tokenizer = TokenizerTablesLoader.Load(Gpt2() with { Pre = pre });
        JsonNode row = Rows.Skip(1).Single(row => row["pre"]!.GetValue<string>() == pre);
        for (int i = 0; i < Rows[0]["texts"]!.AsArray().Count; i++)
        {
            string text = Rows[0]["texts"]![i]!.GetValue<string>();
            string expected = string.Join(' ', row["ids"]![i]!.AsArray());
            Assert.Equal($"{text} {expected}", $"{text} {string.Join(' ', TestFiles.Encode(tokenizer, text, parseSpecial: false))}");
        }
    }

    public static TheoryData<string> Names => new(PreTokenizerByName.Names);

    [Theory]
    [MemberData(nameof(Names))]
    public void Under_every_name_of_a_pre_tokenizer_a_text_reads_back(string pre)
    {
        ITokenizer tokenizer = TokenizerTablesLoader.Load(Gpt2() with { Pre = pre });
        foreach (string text in TwoLoaders.Texts().TakeLast(60))
            Assert.Equal(Mended(text), tokenizer.Decode([.. TestFiles.Encode(tokenizer, text, parseSpecial: false)], skipSpecial: false));
    }

    [Fact]
    public void Tables_without_a_name_are_cut_as_the_default()
    {
        const string Text = "a+b 12345";
        ITokenizer unnamed = TokenizerTablesLoader.Load(Gpt2() with { Pre = null });
        Assert.Equal(TestFiles.Encode(TokenizerTablesLoader.Load(Gpt2() with { Pre = "default" }), Text), TestFiles.Encode(unnamed, Text));
    }

    [Theory]
    [InlineData("llama-bpe", true)]
    [InlineData("tekken", true)]
    [InlineData("gpt-2", false)]
    [InlineData("qwen2", false)]
    public void Bos_goes_in_front_where_that_is_the_habit_and_the_tables_do_not_say(string pre, bool adds)
    {
        TokenizerTables tables = SmallTables.ByteLevel(["ab", "<s>"], ["a b"]) with { Pre = pre, BosToken = 257 };
        Assert.Equal(adds, Ids(tables).Contains(257));
        Assert.Equal([257, 256], Ids(tables with { AddBos = true }));
        Assert.Equal([256, 257], Ids(tables with { AddBos = false, AddEos = true, EosToken = 257 }));
        Assert.Equal([256], Ids(tables with { BosToken = null }));
        static List<int> Ids(TokenizerTables tables) => TestFiles.Encode(TokenizerTablesLoader.Load(tables), "ab", addSpecial: true);
    }

    [Fact]
    public void A_token_found_in_the_text_reads_as_it_is_written()
    {
        // "é" stands for the byte 0xE9 in tokens of the model.
        TokenizerTables tables = SmallTables.ByteLevel(["ab", "é!"], ["a b"]) with { Types = [.. Enumerable.Repeat(1, 257), 4] };
        ITokenizer tokenizer = TokenizerTablesLoader.Load(tables);
        Assert.Equal([256, 257], TestFiles.Encode(tokenizer, "abé!"));
        Assert.Equal("abé!", tokenizer.Decode([256, 257], skipSpecial: true));
        Assert.Equal("é!"u8.ToArray(), tokenizer.TokenBytes(257).ToArray());
    }

    [Fact]
    public void Of_two_equal_merges_the_first_counts()
    {
        TokenizerTables tables = SmallTables.ByteLevel(["ab", "bc"], ["a b", "b c", "a b"]);
        Assert.Equal("ab|c|", SmallTables.Show(tables, "abc"));
    }

    private static TokenizerTables Gpt2() => GgufTables.Read(TestFiles.Require("llama.cpp", "ggml-vocab-gpt-2.gguf"));

    private static string Mended(string text) => new string([.. text.Select((c, i) => char.IsSurrogate(c)
        && !(i + 1 < text.Length && char.IsSurrogatePair(c, text[i + 1])) && !(i > 0 && char.IsSurrogatePair(text[i - 1], c)) ? '\ufffd' : c)]);
}
