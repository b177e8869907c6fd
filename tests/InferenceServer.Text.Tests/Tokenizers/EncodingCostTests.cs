using System.Diagnostics;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Models;
using InferenceServer.Text.Tokenizers.PreTokenizing;
using InferenceServer.Text.Tokenizers.Tables;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Encoding time is proportional to the text, also for texts made to be slow.</summary>
public sealed class EncodingCostTests
{
    public static TheoryData<string, string> Hard()
    {
        TheoryData<string, string> cases = [];
        foreach (string name in new[] { "llama3.1-rebuilt", "llama2", "qwen2", "gpt2", "phi-2" })
            foreach (string unit in new[] { "a", " ", "😀", "\n", "1", "é", "\u0301", "<|", "a ", " \u00a0", "'" })
                cases.Add(name, unit);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Hard))]
    public void Sixteen_times_the_text_never_takes_the_square_of_it(string name, string unit)
    {
        ITokenizer tokenizer = TestFiles.Tokenizer(name);
        string small = Repeat(unit, 16 << 10);
        string large = Repeat(unit, 256 << 10);
        Encode(tokenizer, small);
        // Linear cost is 16 times, the square 256; between them lies room for caches and for other work on the machine.
        string seen = "";
        for (int attempt = 0; attempt < 5; attempt++)
        {
            double smallMs = Math.Max(4, BestOfThree(tokenizer, small)); // a floor under the clock's and the scheduler's grain
            double largeMs = BestOfThree(tokenizer, large);
            if (largeMs <= 100 * smallMs)
                return;
            seen += $" {smallMs:F1} ms for 16 K chars, {largeMs:F1} ms for 256 K;";
        }

        Assert.Fail($"{name} \"{unit}\":{seen}");
    }

    /// <summary>One name of each family of pre-tokenizers of tables.</summary>
    public static TheoryData<string> Families => new(
        "default", "llama-bpe", "qwen2", "qwen35", "gpt-2", "smollm", "falcon", "gpt-4o", "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3",
        "minicpm5", "bailingmoe", "seed-coder", "bloom", "viking");

    [Theory]
    [MemberData(nameof(Families))]
    public void A_pre_tokenizer_of_tables_cuts_long_runs_in_linear_time(string name)
    {
        IPreTokenizer pre = PreTokenizerByName.Find(name).Compile();
        foreach (string unit in new[] { "a", "A", "aB", " ", "\n", " \n", "1", "!", "é", "\u0301", "a ", "日", "😀", "'", "\u00a0", "ǅ", "/" })
            foreach (string tail in new[] { "", "1", "x", "日" })
            {
                // 256 K characters take some milliseconds; their square would be half a minute and more.
                string text = Repeat(unit, 256 << 10) + tail;
                long start = Stopwatch.GetTimestamp();
                pre.Split(new Piece(text, 0, text.Length, AtTextStart: true), new Nowhere());
                Assert.True(Stopwatch.GetElapsedTime(start).TotalSeconds < 5, $"\"{unit}\" and \"{tail}\"");
            }
    }

    [Fact]
    public void A_megabyte_of_one_letter_is_done_in_seconds_at_most()
    {
        ITokenizer tokenizer = TestFiles.Tokenizer("llama2");
        long start = Stopwatch.GetTimestamp();
        Encode(tokenizer, new string('a', 1 << 20));
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 10);
    }

    [Fact]
    public void The_queue_merges_as_the_scan_does()
    {
        const int Seed = 3;
        Random random = new(Seed);
        for (int round = 0; round < 300; round++)
        {
            // Token n stands for a string of two letters; ranks in random order, so that a merge may make a pair of lower rank possible.
            List<string> tokens = ["a", "b"];
            MergeTable merges = new(60);
            int[] ranks = [.. Enumerable.Range(0, 60)];
            random.Shuffle(ranks);
            foreach (int rank in ranks)
            {
                (int left, int right) = (random.Next(tokens.Count), random.Next(tokens.Count));
                string joined = tokens[left] + tokens[right];
                if (!tokens.Contains(joined))
                    tokens.Add(joined);
                merges.Add(left, right, rank, tokens.IndexOf(joined));
            }

            int[] ids = [.. Enumerable.Range(0, random.Next(1, 300)).Select(_ => random.Next(2))];
            int[] scanned = [.. ids];
            int[] queued = [.. ids];
            int scannedCount = MergeLoop.Scan(merges, scanned);
            int queuedCount = MergeLoop.Queue(merges, queued);
            Assert.Equal(scanned[..scannedCount], queued[..queuedCount]);
        }
    }

    private sealed class Nowhere : IPieceSink
    {
        public void Take(in Piece piece)
        {
        }
    }

    private static void Encode(ITokenizer tokenizer, string text) => TestFiles.Encode(tokenizer, text);

    private static double BestOfThree(ITokenizer tokenizer, string text)
    {
        double best = double.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Encode(tokenizer, text);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return best;
    }

    private static string Repeat(string unit, int chars) => string.Concat(Enumerable.Repeat(unit, chars / unit.Length));
}
