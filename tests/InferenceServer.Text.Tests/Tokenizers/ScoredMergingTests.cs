using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Merging by scores in small made-up vocabularies, where ties, missing letters and control tokens can be had at will.</summary>
public sealed class ScoredMergingTests
{
    [Fact]
    public void Merging_is_that_of_the_plain_twin_with_ties_and_letters_that_are_no_tokens()
    {
        const int Seed = 41;
        Random random = new(Seed);
        for (int round = 0; round < 300; round++)
        {
            // Few scores, so that ties are common; "é" and "d" are in pieces but hardly ever tokens.
            Dictionary<string, float> pieces = [];
            for (int i = random.Next(40); i >= 0; i--)
                pieces[Letters(random, "abcdé▁", 1, 5)] = -random.Next(6);
            TokenizerTables tables = SmallTables.Of(pieces) with { AddSpacePrefix = false };
            ITokenizer tokenizer = TokenizerTablesLoader.Load(tables);
            for (int i = 0; i < 10; i++)
            {
                string text = Letters(random, "abcdé z", 0, i < 8 ? 30 : 300);
                Assert.Equal($"{Seed}/{round} {text} {Twin(pieces, text)}", $"{Seed}/{round} {text} {string.Concat(TestFiles.Encode(tokenizer, text).Select(id => tables.Tokens[id] + "|"))}");
            }
        }
    }

    [Fact]
    public void Of_equal_scores_the_leftmost_pair_merges_first()
    {
        // The id of "bc" is below that of "ab".
        TokenizerTables tables = SmallTables.Of(new() { ["bc"] = -1, ["ab"] = -1, ["a"] = -2, ["b"] = -2, ["c"] = -2 }) with { AddSpacePrefix = false };
        Assert.Equal("ab|c|", SmallTables.Show(tables, "abc"));
        Assert.Equal("ab|c|ab|", SmallTables.Show(tables, "abcab"));
    }

    [Fact]
    public void Control_tokens_come_only_of_parsing_and_user_defined_ones_always()
    {
        TokenizerTables tables = SmallTables.Of(new() { ["<s>"] = 0, ["<s"] = -1, ["<"] = -9, ["s"] = -9, [">"] = -9, ["<u>"] = 0, ["▁"] = -9 }, ("<s>", 3), ("<u>", 4));
        Assert.Equal("▁|<s|>|<u>|▁|<s|>|", SmallTables.Show(tables, "<s><u><s>"));
        Assert.Equal("<s>|<u>|<s>|", SmallTables.Show(tables, "<s><u><s>", parseSpecial: true));
        Assert.Equal("▁|<s|>|<u>|<s>|", SmallTables.Show(tables, "<s><u><s>", parseSpecial: true, new TextRange(2, 3)));
        ITokenizer tokenizer = TokenizerTablesLoader.Load(tables);
        Assert.True(tokenizer.IsSpecial(tokenizer.FindToken("<s>")!.Value));
        Assert.False(tokenizer.IsSpecial(tokenizer.FindToken("<u>")!.Value));
    }

    [Fact]
    public void The_end_of_a_turn_is_a_control_token_whatever_its_type()
    {
        TokenizerTables tables = SmallTables.Of(new() { ["<|im_end|>"] = 0, ["<end_of_turn>"] = 0 }, ("<|im_end|>", 4), ("<end_of_turn>", 1));
        ITokenizer tokenizer = TokenizerTablesLoader.Load(tables);
        Assert.DoesNotContain(TestFiles.Encode(tokenizer, "<|im_end|><end_of_turn>", parseSpecial: false), tokenizer.IsSpecial);
        Assert.Equal("<|im_end|>|<end_of_turn>|", SmallTables.Show(tables, "<|im_end|><end_of_turn>", parseSpecial: true));
    }

    [Fact]
    public void A_byte_token_that_is_spelled_out_is_text()
    {
        TokenizerTables tables = SmallTables.Of(new() { ["<0x4"] = -1, ["<0x"] = -1, ["<0"] = -1, ["<"] = -2, ["0"] = -2, ["x"] = -2, ["4"] = -2, ["1>"] = -2, ["1"] = -2, [">"] = -2, ["<0x41"] = 0 })
            with
        { AddSpacePrefix = false };
        Assert.Equal("<0x41|>|", SmallTables.Show(tables, "<0x41>"));
        ITokenizer tokenizer = TokenizerTablesLoader.Load(tables);
        Assert.Equal("<0x41>", tokenizer.Decode([.. TestFiles.Encode(tokenizer, "<0x41>")], skipSpecial: true));
    }

    [Fact]
    public void What_goes_around_a_text_is_as_the_tables_say()
    {
        TokenizerTables tables = SmallTables.Of(new() { ["<s>"] = -1, ["</s>"] = -1 }, ("<s>", 3), ("</s>", 3));
        Assert.Equal([1], Frame(tables)); // SentencePiece's habit
        Assert.Equal([], Frame(tables with { AddBos = false }));
        Assert.Equal([256, 257], Frame(tables with { BosToken = 256, EosToken = 257, AddEos = true }));
        static List<int> Frame(TokenizerTables tables) => TestFiles.Encode(TokenizerTablesLoader.Load(tables), "", addSpecial: true);
    }

    [Fact]
    public void A_space_goes_in_front_of_the_text_and_behind_each_token_found_in_it_and_comes_off_again()
    {
        Dictionary<string, float> pieces = new() { ["▁"] = -1, ["a"] = -1, ["<u>"] = 0 };
        TokenizerTables tables = SmallTables.Of(pieces, ("<u>", 4));
        ITokenizer spaced = TokenizerTablesLoader.Load(tables);
        Assert.Equal("▁|a|<u>|▁|a|", SmallTables.Show(tables, "a<u>a"));
        Assert.Equal("▁|▁|a|", SmallTables.Show(tables, " a"));
        Assert.Equal(" a", spaced.Decode([.. TestFiles.Encode(spaced, " a")], skipSpecial: true));
        ITokenizer plain = TokenizerTablesLoader.Load(tables with { AddSpacePrefix = false });
        Assert.Equal("a|<u>|▁|a|", SmallTables.Show(tables with { AddSpacePrefix = false }, "a<u> a"));
        Assert.Equal(" a", plain.Decode([.. TestFiles.Encode(plain, " a")], skipSpecial: true));
    }

    /// <summary>Joins the two neighbours whose text has the highest score, the leftmost of equals, until none has one; what is no token is bytes.</summary>
    private static string Twin(Dictionary<string, float> pieces, string text)
    {
        List<string> parts = [.. text.Replace(' ', '▁').EnumerateRunes().Select(static rune => rune.ToString())];
        while (true)
        {
            int best = -1;
            for (int i = 0; i + 1 < parts.Count; i++)
                if (pieces.TryGetValue(parts[i] + parts[i + 1], out float score) && (best < 0 || score > pieces[parts[best] + parts[best + 1]]))
                    best = i;
            if (best < 0)
                break;
            parts[best] += parts[best + 1];
            parts.RemoveAt(best + 1);
        }

        return string.Concat(parts.Select(part => pieces.ContainsKey(part) ? part + "|" : string.Concat(Encoding.UTF8.GetBytes(part).Select(static b => $"<0x{b:X2}>|"))));
    }

    private static string Letters(Random random, string alphabet, int least, int most) =>
        string.Concat(Enumerable.Range(0, random.Next(least, most)).Select(_ => alphabet[random.Next(alphabet.Length)]));
}
