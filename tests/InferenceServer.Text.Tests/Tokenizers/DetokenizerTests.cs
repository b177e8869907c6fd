using System.Text;
using System.Text.Json.Nodes;
using InferenceServer.Core.Text;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

public sealed class DetokenizerTests
{
    public static TheoryData<string> Names => new(TestFiles.Names);

    [Theory]
    [MemberData(nameof(Names))]
    public void Token_by_token_gives_what_all_at_once_gives(string name)
    {
        ITokenizer tokenizer = TestFiles.Tokenizer(name);
        CheckRandomTokens(tokenizer, rounds: 400);
        foreach (string text in TestFiles.Texts().Take(200))
        {
            int[] ids = [.. TestFiles.Encode(tokenizer, text)];
            Assert.Equal(tokenizer.Decode(ids, skipSpecial: false), Incrementally(tokenizer, ids, skipSpecial: false));
        }
    }

    public static TheoryData<string> Goldens =>
        new(File.ReadLines(TestFiles.Golden("models.jsonl")).Select(static line => JsonNode.Parse(line)!["name"]!.GetValue<string>()));

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Every_decoder_works_token_by_token(string name)
    {
        JsonNode row = File.ReadLines(TestFiles.Golden("models.jsonl")).Select(static line => JsonNode.Parse(line)!)
            .Single(row => row["name"]!.GetValue<string>() == name);
        CheckRandomTokens(TestFiles.Load(row["file"]!), rounds: 300);
    }

    [Theory]
    [InlineData("<s>", "▁there", "there")] // nothing is written yet, so that this is where the text begins
    [InlineData("<s> ▁Once ▁upon ▁a ▁time", "▁there", " there")]
    [InlineData("<s> ▁Once ▁upon ▁a ▁time", ",", ",")]
    [InlineData("<s> ▁[ INST ] ▁Hi ▁[ / INST ]", "▁Hello", " Hello")] // a template's end is text as well
    [InlineData("▁Once </s>", "▁there", " there")]
    [InlineData("▁price ▁ <0xE2> <0x82>", "<0xAC>", "€")]
    public void What_continues_a_prompt_keeps_its_space(string prompt, string token, string expected)
    {
        ITokenizer tokenizer = TestFiles.Tokenizer("llama2");
        int[] before = [.. prompt.Split(' ').Select(content => tokenizer.FindToken(content)!.Value)];
        Assert.Equal(expected, tokenizer.CreateDetokenizer(skipSpecial: true, before).Append(tokenizer.FindToken(token)!.Value));
    }

    [Fact]
    public void Spaces_at_the_end_that_the_decoder_strips_are_held_until_they_are_known_to_be_the_end()
    {
        JsonNode file = JsonNode.Parse("""
            {"decoder":{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":2}]},
             "model":{"type":"BPE","vocab":{"a":0," ":1,"b ":2},"merges":[]}}
            """)!;
        CheckRandomTokens(TestFiles.Load(file), rounds: 500);
    }

    [Theory]
    [InlineData("llama3.1-rebuilt")]
    [InlineData("llama2")]
    public void Characters_come_out_whole_and_at_once(string name)
    {
        ITokenizer tokenizer = TestFiles.Tokenizer(name);
        const string Text = "x𐎀y🦄z"; // rare characters that are several tokens
        IDetokenizer detokenizer = tokenizer.CreateDetokenizer(skipSpecial: true);
        List<string> parts = [];
        foreach (int id in TestFiles.Encode(tokenizer, Text))
            parts.Add(detokenizer.Append(id));
        parts.Add(detokenizer.Flush());
        Assert.Equal(Text, string.Concat(parts));
        Assert.All(parts, static part => Assert.False(part.Length > 0 && char.IsHighSurrogate(part[^1])));
        Assert.Contains("", parts.SkipLast(1)); // some token only began a character
        Assert.Equal("", parts[^1]);
    }

    [Fact]
    public void An_unfinished_character_is_flushed_as_a_replacement()
    {
        ITokenizer tokenizer = TestFiles.Tokenizer("llama2");
        IDetokenizer detokenizer = tokenizer.CreateDetokenizer(skipSpecial: true);
        Assert.Equal("", detokenizer.Append(tokenizer.FindToken("<0xE2>")!.Value));
        Assert.Equal("", detokenizer.Append(tokenizer.FindToken("<0x82>")!.Value));
        Assert.Equal("\uFFFD", detokenizer.Flush());
    }

    [Fact]
    public void Ids_that_no_token_has_read_as_nothing()
    {
        ITokenizer tokenizer = TestFiles.Tokenizer("gpt2");
        List<int> ids = [];
        tokenizer.Encode("padded", new EncodeOptions(), ids);
        int[] padded = [tokenizer.VocabularySize, .. ids, -1, int.MaxValue];
        Assert.Equal("padded", tokenizer.Decode(padded, skipSpecial: false));
        Assert.Equal(0, tokenizer.TokenBytes(tokenizer.VocabularySize).Length);
        IDetokenizer detokenizer = tokenizer.CreateDetokenizer(skipSpecial: true);
        Assert.Equal("padded", string.Concat(padded.Select(detokenizer.Append)) + detokenizer.Flush());
    }

    private static void CheckRandomTokens(ITokenizer tokenizer, int rounds)
    {
        const int Seed = 20_240;
        Random random = new(Seed);
        int[] known = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(id => Record.Exception(() => tokenizer.TokenBytes(id)) is null)];
        for (int round = 0; round < rounds; round++)
        {
            // Half of the rounds draw from the first ids, where bytes and special tokens are.
            int limit = round % 2 == 0 ? known.Length : Math.Min(known.Length, 300);
            int[] ids = [.. Enumerable.Range(0, random.Next(12)).Select(_ => known[random.Next(limit)])];
            int prompt = random.Next(ids.Length + 1);
            foreach (bool skipSpecial in new[] { true, false })
            {
                string whole = $"{Seed}/{round} {tokenizer.Decode(ids, skipSpecial)}";
                Assert.Equal(whole, $"{Seed}/{round} {Incrementally(tokenizer, ids, skipSpecial)}");
                Assert.Equal(whole, $"{Seed}/{round} {Certain(tokenizer, ids[..prompt], skipSpecial)}{Incrementally(tokenizer, ids[prompt..], skipSpecial, ids[..prompt])}");
            }
        }
    }

    /// <summary>The text of a prompt but for what its end leaves open.</summary>
    private static string Certain(ITokenizer tokenizer, int[] ids, bool skipSpecial) =>
        string.Concat(ids.Select(tokenizer.CreateDetokenizer(skipSpecial).Append));

    private static string Incrementally(ITokenizer tokenizer, int[] ids, bool skipSpecial, int[]? before = null)
    {
        StringBuilder text = new();
        IDetokenizer detokenizer = tokenizer.CreateDetokenizer(skipSpecial, before);
        foreach (int id in ids)
            text.Append(detokenizer.Append(id));
        return text.Append(detokenizer.Flush()).ToString();
    }
}
