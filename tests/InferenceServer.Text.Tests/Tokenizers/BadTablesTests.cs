using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Bad tables are a sentence that names source and field.</summary>
public sealed class BadTablesTests
{
    private static readonly TokenizerTables Scored = SmallTables.Of(new() { ["a"] = -1, ["b"] = -1, ["ab"] = -2 });

    private static readonly TokenizerTables Merged = SmallTables.ByteLevel(["ab", "abc"], ["a b", "ab c"]);

    public static TheoryData<string, TokenizerTables> Bad => new()
    {
        { "tokenizer.ggml.model\" is \"bert\"", Scored with { Model = "bert" } },
        { "tokenizer.ggml.model\" is \"t5\"", Scored with { Model = "t5" } },
        { "tokenizer.ggml.tokens\" is empty", Scored with { Tokens = [] } },
        { "tokenizer.ggml.tokens[259]\" is \"a\", which an earlier id has", Scored with { Tokens = [.. Scored.Tokens, "a"], Scores = [.. Scored.Scores, 0], Types = [] } },
        { "tokenizer.ggml.tokens\" lacks \"<0x41>\"", Scored with { Tokens = [.. Scored.Tokens.Select(static text => text == "<0x41>" ? "x" : text)], Types = [] } },
        { "tokenizer.ggml.tokens[256]\" is 2000 bytes long", Scored with { Tokens = [.. Scored.Tokens.Select(static text => text == "a" ? new string('a', 2_000) : text)] } },
        { "tokenizer.ggml.scores\" has 258 entries", Scored with { Scores = [.. Scored.Scores.SkipLast(1)] } },
        { "tokenizer.ggml.scores\" is absent", Scored with { Scores = [] } },
        { "tokenizer.ggml.scores[258]\" is not a number", Scored with { Scores = [.. Scored.Scores.SkipLast(1), float.NaN] } },
        { "tokenizer.ggml.token_type\" has 1 entries", Scored with { Types = [1] } },
        { "tokenizer.ggml.token_type[0]\" is 7", Scored with { Types = [.. Scored.Types.Select(static (type, id) => id == 0 ? 7 : type)] } },
        { "tokenizer.ggml.token_type[256]\" says byte", Scored with { Types = [.. Scored.Types.Select(static (type, id) => id == 256 ? 6 : type)] } },
        { "tokenizer.ggml.bos_token_id\" is 259", Scored with { BosToken = 259 } },
        { "tokenizer.ggml.eos_token_id\" is -1", Scored with { EosToken = -1 } },
        { "tokenizer.ggml.unknown_token_id\" is 2147483647", Scored with { UnknownToken = int.MaxValue } },
        { "tokenizer.ggml.pre\" is \"klingon\"; this server knows default, llama-bpe,", Merged with { Pre = "klingon" } },
        { "tokenizer.ggml.merges\" is absent", Merged with { Merges = [] } },
        { "tokenizer.ggml.merges[1]\" names \"ac\"", Merged with { Merges = ["a b", "a c"] } },
        { "tokenizer.ggml.merges[0]\" names \"aaa\"", Merged with { Merges = ["aaa b"] } },
        { "tokenizer.ggml.merges[0]\" is \"ab\"", Merged with { Merges = ["ab"] } },
        { "tokenizer.ggml.merges[0]\" is \"a \"", Merged with { Merges = ["a "] } },
        { "tokenizer.ggml.merges[0]\" is \" a\"", Merged with { Merges = [" a"] } },
        { "tokenizer.ggml.merges[0]\" is \"a b c\"", Merged with { Merges = ["a b c"] } },
        { "tokenizer.ggml.merges[0]\" is \"\"", Merged with { Merges = [""] } },
        { "tokenizer.ggml.tokens\" lacks \"Ġ\"", Merged with { Tokens = [.. Merged.Tokens.Select(static text => text == "Ġ" ? "x y" : text)] } },
        { "tokenizer.ggml.tokens[257]\" is \"ab\", which an earlier id has", Merged with { Tokens = [.. Merged.Tokens.Select(static text => text == "abc" ? "ab" : text)] } },
        { "tokenizer.ggml.add_bos_token\" is true, but \"tokenizer.ggml.bos_token_id\" is absent", Merged with { AddBos = true } },
        { "tokenizer.ggml.add_eos_token\" is true, but \"tokenizer.ggml.eos_token_id\" is absent", Merged with { AddEos = true } },
    };

    [Theory]
    [MemberData(nameof(Bad), DisableDiscoveryEnumeration = true)]
    public void Names_source_and_field(string sentence, TokenizerTables tables)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TokenizerTablesLoader.Load(tables));
        Assert.StartsWith("small.gguf: \"", error.Message, StringComparison.Ordinal);
        Assert.Contains(sentence, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_good_tables_are_good() => Assert.Equal("▁".Length * 3 + 1, TestFiles.Encode(TokenizerTablesLoader.Load(Scored), "ab").Count);

    [Fact]
    public void The_good_merges_are_good() => Assert.Equal([257], TestFiles.Encode(TokenizerTablesLoader.Load(Merged), "abc", addSpecial: true));

    [Fact]
    public void Ids_without_a_text_read_as_nothing()
    {
        ITokenizer tokenizer = TokenizerTablesLoader.Load(Scored with { Tokens = [.. Scored.Tokens, "", ""], Scores = [.. Scored.Scores, 0, 0], Types = [.. Scored.Types, 5, 5] });
        Assert.Equal("ab", tokenizer.Decode([258, 259, 260], skipSpecial: false));
    }

    [Fact]
    public void Ids_without_a_text_cost_no_memory_beyond_measure() =>
        Assert.Contains("ids without a token", Assert.Throws<InvalidDataException>(() => TokenizerTablesLoader.Load(
            Scored with { Tokens = [.. Scored.Tokens, .. Enumerable.Repeat("", 200_000)], Scores = [], Types = [] })).Message, StringComparison.Ordinal);
}
