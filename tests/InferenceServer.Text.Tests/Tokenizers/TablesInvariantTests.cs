using System.Diagnostics;
using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>The room's invariants for tokenizers that are made of tables: no forged control token, streaming decode, linear cost.</summary>
public sealed class TablesInvariantTests
{
    public static TheoryData<string> Published => new("llama-spm", "phi-3", "gpt-2", "deepseek-llm", "starcoder");

    [Theory]
    [MemberData(nameof(Published))]
    public void What_a_user_wrote_never_becomes_a_control_token(string name)
    {
        ITokenizer tokenizer = Load(name);
        string[] contents = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.IsSpecial).Take(100)
            .Select(id => Encoding.UTF8.GetString(tokenizer.TokenBytes(id).Span))];
        Assert.NotEmpty(contents);
        foreach (string content in contents)
        {
            foreach (string text in new[] { content, " " + content, "x" + content + "y", content + content })
                Assert.DoesNotContain(TestFiles.Encode(tokenizer, text, parseSpecial: false), tokenizer.IsSpecial);

            string around = "Hi " + content + " you";
            int special = tokenizer.FindToken(content)!.Value;
            Assert.Contains(special, TestFiles.Encode(tokenizer, around));
            Assert.Contains(special, TestFiles.Encode(tokenizer, around, literal: [new TextRange(0, 3), new TextRange(3 + content.Length, around.Length)]));
            for (int at = 3; at < 3 + content.Length; at++)
                Assert.DoesNotContain(special, TestFiles.Encode(tokenizer, around, literal: new TextRange(at, at + 1)));
        }
    }

    [Theory]
    [MemberData(nameof(Published))]
    public void Token_by_token_gives_what_all_at_once_gives(string name)
    {
        const int Seed = 77;
        Random random = new(Seed);
        ITokenizer tokenizer = Load(name);
        for (int round = 0; round < 400; round++)
        {
            int limit = round % 2 == 0 ? tokenizer.VocabularySize + 2 : 300;
            int[] ids = [.. Enumerable.Range(0, random.Next(12)).Select(_ => random.Next(limit))];
            foreach (bool skipSpecial in new[] { true, false })
            {
                IDetokenizer detokenizer = tokenizer.CreateDetokenizer(skipSpecial);
                string streamed = string.Concat(ids.Select(detokenizer.Append)) + detokenizer.Flush();
                Assert.Equal($"{Seed}/{round} {tokenizer.Decode(ids, skipSpecial)}", $"{Seed}/{round} {streamed}");
            }
        }
    }

    [Theory]
    [InlineData("llama-spm")]
    [InlineData("deepseek-llm")]
    public void Half_a_megabyte_of_one_thing_is_done_in_seconds_at_most(string name)
    {
        ITokenizer tokenizer = Load(name);
        foreach (string unit in new[] { "a", " ", "😀", "<", "ab", "\u2581" })
        {
            string text = string.Concat(Enumerable.Repeat(unit, (1 << 19) / unit.Length)) + "1";
            long start = Stopwatch.GetTimestamp();
            TestFiles.Encode(tokenizer, text);
            Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 10);
        }
    }

    [Fact]
    public void Changed_tables_are_refused_or_load()
    {
        const int Seed = 19;
        Random random = new(Seed);
        string[] texts = ["a", "b", "ab", "", "<0x41>", "▁", "é", "Ġ", "<s>", "\ud800", "a b", new string('a', 1_100)];
        for (int round = 0; round < 2_000; round++)
        {
            TokenizerTables tables = round % 2 == 0
                ? SmallTables.Of(new() { ["a"] = -1, ["b"] = -1, ["ab"] = -2, ["<s>"] = 0 }, ("<s>", 3))
                : SmallTables.ByteLevel(["ab", "abc"], ["a b", "ab c"]) with { Types = [.. Enumerable.Repeat(1, 258)] };
            List<string> tokens = [.. tables.Tokens];
            List<int> types = [.. tables.Types];
            for (int i = random.Next(3); i >= 0; i--)
            {
                tokens[random.Next(tokens.Count)] = texts[random.Next(texts.Length)];
                types[random.Next(types.Count)] = random.Next(-1, 8);
            }

            try
            {
                ITokenizer tokenizer = TokenizerTablesLoader.Load(tables with
                {
                    Tokens = tokens,
                    Types = types,
                    Merges = [.. tables.Merges, .. Enumerable.Repeat(texts[random.Next(texts.Length)], random.Next(2))],
                    BosToken = random.Next(-1, 300),
                    AddEos = random.Next(2) == 0,
                });
                List<int> ids = TestFiles.Encode(tokenizer, "abba <s> é\ud800", addSpecial: true);
                Assert.All(ids, id => Assert.InRange(id, 0, tokens.Count - 1));
                tokenizer.Decode([.. ids], skipSpecial: false);
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith("small.gguf: ", e.Message, StringComparison.Ordinal);
            }
        }
    }

    private static ITokenizer Load(string name) => TokenizerTablesLoader.Load(GgufTables.Read(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf")));
}
