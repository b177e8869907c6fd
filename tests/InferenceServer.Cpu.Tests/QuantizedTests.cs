using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Tests;

/// <summary>
/// Quantized weights on every instruction set against plain arithmetic on the file's blocks. Activations become signed bytes in blocks of 32 on both
/// sides, so what is left are f32 roundings: two a block.
/// </summary>
public sealed class QuantizedTests
{
    private const double Epsilon = 1.0 / (1 << 23);

    private static readonly int[] TokenCounts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 25, 40];

    private static readonly ElementType[] Types = [.. Enum.GetValues<ElementType>().Where(t => t.IsQuantized())];

    public static TheoryData<string> Sets => Samples.InstructionSets();

    [Theory]
    [MemberData(nameof(Sets))]
    public void Products_match_plain_arithmetic_on_the_blocks(string set)
    {
        Random random = new(21);
        foreach (ElementType type in Types)
        {
            foreach ((int rows, int blocks) in new[] { (1, 1), (16, 2), (33, 3), (112, 5) })
            {
                BlockTensor weight = new(random, type, rows, blocks * type.BlockColumns());
                foreach (int tokens in TokenCounts) Check(set, random, weight, tokens);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void A_token_gets_the_same_bits_in_any_batch_and_on_any_instruction_set(string set)
    {
        Random random = new(22);
        using CpuBackend backend = Samples.Backend(set), portable = Samples.Backend("Portable");
        foreach (ElementType type in Types)
        {
            BlockTensor weight = new(random, type, 147, 3 * type.BlockColumns());
            Matrix matrix = backend.LoadMatrix(MatrixUse.Layer, weight), twin = portable.LoadMatrix(MatrixUse.Layer, weight);
            float[][] tokens = [.. Enumerable.Range(0, 40).Select(_ => Samples.Floats(random, weight.Columns))];
            float[][] alone = [.. tokens.Select(t => Project(portable, twin, [t])[0])];
            foreach (int count in TokenCounts)
            {
                float[][] together = Project(backend, matrix, tokens[..count]);
                for (int t = 0; t < count; t++) Samples.AssertSameBits(alone[t], together[t], $"{set} {type}, token {t} of {count}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void An_embedding_row_is_the_blocks_numbers(string set)
    {
        Random random = new(23);
        using CpuBackend backend = Samples.Backend(set);
        foreach (ElementType type in Types)
        {
            BlockTensor table = new(random, type, 37, 2 * type.BlockColumns());
            Activation hidden = backend.AllocateActivation(3, table.Columns);
            int[] tokens = [0, 19, 36];
            KvCache cache = backend.AllocateKvCache(new KvCacheShape(1, 1, 2, 16, 4));
            backend.BeginStep(new PlanBuilder(16).Next().Add(tokens, 0, [0]).Build(), cache);
            backend.Embed(backend.LoadMatrix(MatrixUse.Embedding, table), hidden);
            backend.EndStep();
            for (int t = 0; t < tokens.Length; t++)
            {
                for (int k = 0; k < table.Columns; k++)
                    Samples.AssertClose(table.Value(tokens[t], k), backend.ReadRow(hidden, t)[k], 10, Epsilon, $"{set} {type}, token {t}, column {k}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Stacked_tensors_may_differ_in_type(string set)
    {
        Random random = new(24);
        using CpuBackend backend = Samples.Backend(set, 2);
        BlockTensor q = new(random, ElementType.Q4K, 32, 512), k = new(random, ElementType.Q6K, 16, 512);
        MemoryTensor v = MemoryTensor.Random(random, ElementType.BF16, 16, 512);
        float[][] input = [Samples.Floats(random, 512), Samples.Floats(random, 512)];
        float[][] together = Project(backend, backend.LoadMatrix(MatrixUse.Layer, q, k, v), input);
        float[][][] parts = [.. new HostTensor[] { q, k, v }.Select(tensor => Project(backend, backend.LoadMatrix(MatrixUse.Layer, tensor), input))];
        for (int t = 0; t < 2; t++) Samples.AssertSameBits([.. parts[0][t], .. parts[1][t], .. parts[2][t]], together[t], $"{set}, token {t}");
    }

    [Fact]
    public void Stacked_tensors_of_different_types_that_share_a_group_of_rows_are_widened()
    {
        Random random = new(25);
        using CpuBackend backend = Samples.Backend();
        BlockTensor q = new(random, ElementType.Q8, 7, 64), k = new(random, ElementType.Q4, 9, 64);
        float[] input = Samples.Floats(random, 64);
        float[] found = Project(backend, backend.LoadMatrix(MatrixUse.Layer, q, k), [input])[0];
        for (int row = 0; row < 16; row++)
        {
            double expected = Enumerable.Range(0, 64).Sum(i => (row < 7 ? q.Value(row, i) : k.Value(row - 7, i)) * input[i]);
            Samples.AssertClose(expected, found[row], 100, 64 * Epsilon, $"row {row}");
        }
    }

    [Fact]
    public unsafe void Activations_become_the_same_bytes_in_256_and_in_512_bits()
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.Avx512F.IsSupported, "This machine has no AVX-512.");
        Random random = new(26);
        sbyte* narrow = stackalloc sbyte[32], wide = stackalloc sbyte[32];
        float[] special = [0, -0f, 1e-42f, -1e30f, 0.5f, 1.5f, float.PositiveInfinity, float.NegativeInfinity, float.NaN];
        for (int block = 0; block < 20_000; block++)
        {
            float[] values = Samples.Floats(random, 32, MathF.Pow(10, random.Next(-40, 30)));
            if (block % 2 == 1) values[random.Next(32)] = special[random.Next(special.Length)];
            if (block == 0) Array.Clear(values);
            fixed (float* source = values)
            {
                ByteInput.QuantizeNarrow(source, narrow, out float scale, out int first, out int second);
                ByteInput.QuantizeWide(source, wide, out float wideScale, out int wideFirst, out int wideSecond);
                Assert.Equal((BitConverter.SingleToInt32Bits(scale), first, second), (BitConverter.SingleToInt32Bits(wideScale), wideFirst, wideSecond));
                Assert.True(new ReadOnlySpan<sbyte>(narrow, 32).SequenceEqual(new ReadOnlySpan<sbyte>(wide, 32)), $"block {block}");
            }
        }
    }

    private static void Check(string set, Random random, BlockTensor weight, int tokens)
    {
        using CpuBackend backend = Samples.Backend(set);
        int rows = (int)weight.Rows, columns = weight.Columns;
        float[][] input = [.. Enumerable.Range(0, tokens).Select(_ => Samples.Floats(random, columns))];
        float[][] found = Project(backend, backend.LoadMatrix(MatrixUse.Layer, weight), input);
        for (int t = 0; t < tokens; t++)
        {
            double[] quantized = QuantizeBlocks(input[t]);
            for (int r = 0; r < rows; r++)
            {
                double expected = 0, magnitude = 0;
                for (int k = 0; k < columns; k++)
                {
                    double product = weight.Value(r, k) * quantized[k];
                    expected += product;
                    magnitude += Math.Abs(product);
                }

                // K formats subtract a minimum from what they scale: both parts are larger than their difference.
                Samples.AssertClose(expected, found[t][r], magnitude + columns * 0.5, 4 * Epsilon * (columns / 32 + 2), $"{set} {weight.Type} ({rows}, {columns}), token {t} of {tokens}, row {r}");
            }
        }
    }

    /// <summary>To the nearest multiple of largest / 127, 32 at a time.</summary>
    private static double[] QuantizeBlocks(float[] values)
    {
        double[] quantized = new double[values.Length];
        for (int block = 0; block < values.Length; block += 32)
        {
            float largest = values.Skip(block).Take(32).Max(MathF.Abs);
            for (int i = block; i < block + 32; i++)
                quantized[i] = largest == 0 ? 0 : Math.Round(values[i] * (127f / largest), MidpointRounding.ToEven) * (double)(largest / 127f);
        }

        return quantized;
    }

    private static float[][] Project(CpuBackend backend, Matrix matrix, float[][] input)
    {
        Activation from = backend.Fill(input), to = backend.AllocateActivation(input.Length, matrix.Rows);
        backend.Project(from, matrix, null, to);
        return backend.ReadAll(to);
    }
}
