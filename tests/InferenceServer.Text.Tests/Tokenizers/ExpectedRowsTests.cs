using System.Text;
using System.Text.Json;
using InferenceServer.Core.Text;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Real tokenizers beside ids that others computed: Hugging Face's tokenizers, llama.cpp, swift-transformers.</summary>
public sealed class ExpectedRowsTests
{
    public static TheoryData<string> Names => new(TestFiles.Names);

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_row_encodes_and_decodes_as_the_peer_says(string name)
    {
        ITokenizer tokenizer = TestFiles.Tokenizer(name);
        int rows = 0;
        foreach (string line in File.ReadLines(TestFiles.Require("expected", name + ".jsonl")))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            string text = row.GetProperty("text").GetString()!;
            int[] expected = [.. row.GetProperty("ids").EnumerateArray().Select(static id => id.GetInt32())];
            Assert.Equal(expected, TestFiles.Encode(tokenizer, text, row.GetProperty("add_special").GetBoolean()));

            List<int> bare = TestFiles.Encode(tokenizer, text);
            string decoded = row.GetProperty("decoded_skip_special").GetString()!;
            Assert.Equal(decoded, tokenizer.Decode([.. bare], skipSpecial: true));
            StringBuilder incremental = new();
            IDetokenizer detokenizer = tokenizer.CreateDetokenizer(skipSpecial: true);
            foreach (int id in bare)
                incremental.Append(detokenizer.Append(id));
            Assert.Equal(decoded, incremental.Append(detokenizer.Flush()).ToString());
            rows++;
        }

        Assert.True(rows > 600, $"only {rows} rows");
    }

    [Theory]
    [InlineData("llama-bpe", "llama3.1-rebuilt")]
    [InlineData("gpt-2", "gpt2")]
    [InlineData("qwen2", "qwen2")]
    [InlineData("llama-spm", "llama2")]
    [InlineData("phi-3", "phi-3-mini-4k")]
    public void Every_vector_of_llama_cpp_agrees(string vectors, string name)
    {
        ITokenizer tokenizer = TestFiles.Tokenizer(name);
        string[] texts = File.ReadAllText(TestFiles.Require("llama.cpp", $"ggml-vocab-{vectors}.gguf.inp")).Split("\n__ggml_vocab_test__\n");
        string[] ids = File.ReadAllLines(TestFiles.Require("llama.cpp", $"ggml-vocab-{vectors}.gguf.out"));
        Assert.Equal(46, ids.Length);
        for (int i = 0; i < ids.Length; i++)
            Assert.Equal(ids[i].Trim(), string.Join(' ', TestFiles.Encode(tokenizer, texts[i])));
    }

    [Theory]
    [InlineData("llama_encoded", "llama2")]
    [InlineData("llama_3.2_encoded", "llama3.1-rebuilt")]
    [InlineData("gpt2_encoded_tokens", "gpt2")]
    public void Long_texts_of_swift_transformers_agree(string file, string name)
    {
        ITokenizer tokenizer = TestFiles.Tokenizer(name);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(TestFiles.Require("swift-transformers", file + ".json")));
        JsonElement row = document.RootElement;
        string text = row.GetProperty("text").GetString()!;
        int[] expected = [.. row.GetProperty("token_ids").EnumerateArray().Select(static id => id.GetInt32())];
        List<int> ids = TestFiles.Encode(tokenizer, text);
        List<int> framed = TestFiles.Encode(tokenizer, text, addSpecial: true);
        Assert.True(expected.SequenceEqual(ids) || expected.SequenceEqual(framed), "neither with nor without BOS");
    }
}
