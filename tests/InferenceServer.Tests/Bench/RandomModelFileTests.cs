using System.Buffers.Binary;
using InferenceServer.CpuBench;
using InferenceServer.CpuBench.Model;

namespace InferenceServer.Tests.Bench;

/// <summary>What the llama.cpp comparison runs on. That llama.cpp loads it is shown by running the comparison.</summary>
public class RandomModelFileTests
{
    [Fact]
    public void A_file_begins_as_GGUF_3_and_is_as_long_as_its_tensors()
    {
        foreach (WeightFormat format in WeightFormat.All.Where(f => f.Encode is not null))
        {
            byte[] file = Made(format);
            Assert.Equal("GGUF"u8.ToArray(), file[..4]);
            Assert.Equal(3u, BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(4)));
            Assert.Equal((ulong)LlamaShape.Tiny.Tensors.Count(), BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(8)));
            long weights = LlamaShape.Tiny.Tensors.Sum(t => (long)t.Rows * (t.IsVector ? 4 * t.Columns : format.RowBytes(t.Columns)));
            Assert.InRange(file.Length, weights, weights + 100_000); // names, vocabulary and metadata
            Assert.Equal(0, file.Length % GgufFileWriter.Alignment);
        }
    }

    [Fact]
    public void Equal_seeds_make_equal_files() => Assert.Equal(Made(WeightFormat.Q8), Made(WeightFormat.Q8));

    [Fact]
    public void A_row_is_normal_with_the_deviation_asked_for()
    {
        float[] row = new float[65536];
        new RandomTensorPlan("a", 1024, row.Length, 0.5f).DrawRow(7, RandomModelFile.Seed, row);
        Assert.Equal(0, row.Average(), 0.02);
        Assert.Equal(0.5, Math.Sqrt(row.Average(v => (double)v * v)), 0.02);
        float[] next = new float[row.Length];
        new RandomTensorPlan("a", 1024, row.Length, 0.5f).DrawRow(8, RandomModelFile.Seed, next);
        Assert.Equal(0, row.Zip(next, (a, b) => a * b).Average(), 0.01); // another row is unrelated
    }

    [Fact]
    public void Quantized_numbers_are_within_half_a_step()
    {
        float[] values = new float[32];
        new RandomTensorPlan("a", 1, 32, 1).DrawRow(0, RandomModelFile.Seed, values);
        float largest = values.Max(Math.Abs);

        byte[] q8 = new byte[34];
        BlockQuantizer.WriteQ8(values, q8);
        float scale = (float)BinaryPrimitives.ReadHalfLittleEndian(q8);
        for (int i = 0; i < 32; i++) Assert.Equal(values[i], scale * (sbyte)q8[2 + i], largest / 127 * 0.6);

        byte[] q4 = new byte[18];
        BlockQuantizer.WriteQ4(values, q4);
        scale = (float)BinaryPrimitives.ReadHalfLittleEndian(q4);
        for (int i = 0; i < 32; i++)
        {
            int step = i < 16 ? q4[2 + i] & 15 : q4[2 + i - 16] >> 4;
            // Half a step, and a whole one at the end that is not the extreme: 16 steps lie unevenly around 0.
            Assert.Equal(values[i], scale * (step - 8), largest / 8 * 1.1);
        }

        Assert.Contains(Enumerable.Range(0, 32), i => Math.Abs(values[i]) == largest && (i < 16 ? q4[2 + i] & 15 : q4[2 + i - 16] >> 4) == 0);
    }

    [Fact]
    public void A_block_of_zeros_stays_zero()
    {
        byte[] q8 = new byte[34], q4 = new byte[18];
        BlockQuantizer.WriteQ8(new float[32], q8);
        BlockQuantizer.WriteQ4(new float[32], q4);
        Assert.All(q8, b => Assert.Equal(0, b));
        Assert.Equal((Half)0, BinaryPrimitives.ReadHalfLittleEndian(q4)); // of either sign
        Assert.All(q4[2..], b => Assert.Equal(0x88, b)); // step 8 is nought
    }

    [Fact]
    public void Every_made_up_word_is_two_shorter_ones_in_a_row()
    {
        MadeUpVocabulary vocabulary = new(32000);
        Assert.Equal(32000, vocabulary.Tokens.Count);
        Assert.Equal(32000, vocabulary.Tokens.Distinct().Count());
        HashSet<string> known = [.. vocabulary.Tokens];
        for (int i = 259; i < vocabulary.Tokens.Count; i++)
        {
            string word = vocabulary.Tokens[i];
            Assert.True(word.Length == 1 || Enumerable.Range(1, word.Length - 1).Any(cut => known.Contains(word[..cut]) && known.Contains(word[cut..])), word);
            Assert.True(i == 259 || vocabulary.Scores[i] < vocabulary.Scores[i - 1]);
        }
    }

    [Fact]
    public void More_tokens_than_words_are_refused() => Assert.Contains("can be made up", Assert.Throws<BenchException>(() => new MadeUpVocabulary(1_000_000)).Message);

    private static byte[] Made(WeightFormat format)
    {
        using MemoryStream stream = new();
        RandomModelFile.Write(stream, LlamaShape.Tiny, format);
        return stream.ToArray();
    }
}
