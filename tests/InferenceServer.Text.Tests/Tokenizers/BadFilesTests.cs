using System.Text;
using System.Text.Json.Nodes;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>A bad file is a sentence that names file and field; never another exception, never the memory that a number claims.</summary>
public sealed class BadFilesTests
{
    private const string Good = """
        {"added_tokens":[{"id":3,"content":"<s>","special":true}],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
         "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[3]}}},
         "decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}
        """;

    [Theory]
    [InlineData("model.vocab", "model", "vocab", "{\"a\":2147483648}")]
    [InlineData("model.vocab", "model", "vocab", "{\"a\":2147483647}")]
    [InlineData("model.vocab", "model", "vocab", "{\"a\":-1}")]
    [InlineData("model.vocab", "model", "vocab", "{\"a\":1.5}")]
    [InlineData("model.vocab", "model", "vocab", "{\"a\":\"0\"}")]
    [InlineData("model.vocab", "model", "vocab", "7")]
    [InlineData("model.vocab", "model", "vocab", "[[\"a\",0.5]]")]
    [InlineData("model.merges[0]", "model", "merges", "[\"a c\"]")]
    [InlineData("model.merges[0]", "model", "merges", "[\"b a\"]")]
    [InlineData("model.merges[1]", "model", "merges", "[\"a b\",\"ab\"]")]
    [InlineData("model.merges[0]", "model", "merges", "[[\"a\"]]")]
    [InlineData("model.merges[0]", "model", "merges", "[[\"a\",\"b\",\"c\"]]")]
    [InlineData("model.merges[0]", "model", "merges", "[7]")]
    [InlineData("model.merges", "model", "merges", "{}")]
    [InlineData("model.type", "model", "type", "\"Markov\"")]
    [InlineData("model.unk_token", "model", "unk_token", "\"<unk>\"")]
    [InlineData("model.byte_fallback", "model", "byte_fallback", "\"yes\"")]
    [InlineData("added_tokens[0].id", null, "added_tokens", "[{\"id\":2147483647,\"content\":\"<s>\"}]")]
    [InlineData("added_tokens[0].id", null, "added_tokens", "[{\"id\":9999999999,\"content\":\"<s>\"}]")]
    [InlineData("added_tokens[0]", null, "added_tokens", "[{\"id\":3}]")]
    [InlineData("added_tokens", null, "added_tokens", "{}")]
    [InlineData("normalizer.type", null, "normalizer", "{\"type\":\"Magic\"}")]
    [InlineData("normalizer", null, "normalizer", "\"NFC\"")]
    [InlineData("normalizer", null, "normalizer", "{}")]
    [InlineData("normalizer.precompiled_charsmap", null, "normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////wAA\"}")]
    [InlineData("pre_tokenizer.pattern.Regex", null, "pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\"}")]
    [InlineData("pre_tokenizer.behavior", null, "pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Odd\"}")]
    [InlineData("pre_tokenizer\" lacks \"pretokenizers", null, "pre_tokenizer", "{\"type\":\"Sequence\"}")]
    [InlineData("post_processor", null, "post_processor", "{\"type\":\"RobertaProcessing\",\"cls\":[\"x\",77],\"sep\":[\"y\",3]}")]
    [InlineData("post_processor.single", null, "post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[],\"special_tokens\":{}}")]
    [InlineData("decoder.type", null, "decoder", "{\"type\":\"CTC\"}")]
    public void Names_file_and_field(string field, string? parent, string name, string value)
    {
        JsonNode file = JsonNode.Parse(Good)!;
        (parent is null ? file : file[parent]!)[name] = JsonNode.Parse(value);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TestFiles.Load(file));
        Assert.StartsWith("test.json: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(field, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_good_file_is_good() =>
        Assert.Equal([3, 2], TestFiles.Encode(TestFiles.Load(JsonNode.Parse(Good)!), "ab", addSpecial: true));

    [Fact]
    public void Every_truncation_is_refused()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Good.TrimEnd());
        for (int length = 0; length < bytes.Length; length++)
            Assert.Throws<InvalidDataException>(() => TokenizerJson.Load(bytes.AsSpan(0, length), "cut.json"));
    }

    [Fact]
    public void Any_changed_byte_is_refused_or_loads()
    {
        const int Seed = 11;
        Random random = new(Seed);
        byte[] bytes = Encoding.UTF8.GetBytes(Good);
        for (int round = 0; round < 5_000; round++)
        {
            byte[] changed = [.. bytes];
            for (int i = random.Next(3); i >= 0; i--)
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            try
            {
                TestFiles.Encode(TokenizerJson.Load(changed, "changed.json"), "abba <s> é");
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith("changed.json: ", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void A_huge_id_costs_no_memory()
    {
        byte[] file = Encoding.UTF8.GetBytes("""{"model":{"type":"BPE","vocab":{"a":2000000000},"merges":[]}}""");
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => TokenizerJson.Load(file, "huge.json"));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }
}
