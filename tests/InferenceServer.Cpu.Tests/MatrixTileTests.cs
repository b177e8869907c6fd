using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Emitting;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Tests;

/// <summary>What is particular to matrix tiles (AMX); that they compute what every set does is in <see cref="MatMulTests"/> and <see cref="QuantizedTests"/>.</summary>
public sealed class MatrixTileTests
{
    private const string NoTiles = "This machine, or its system, has no matrix tiles.";

    /// <summary>Around a tile's 16 tokens and two tiles' 32, and more than a second-level cache's share of long rows.</summary>
    private static readonly int[] TokenCounts = [1, 7, 12, 13, 15, 16, 17, 31, 32, 33, 48, 65, 150];

    private static bool HasTiles => KernelTable.IsSupported(InstructionSet.Amx);

    [Fact]
    public void Rows_longer_than_a_panel_give_the_bits_of_other_sets()
    {
        Assert.SkipUnless(HasTiles, NoTiles);
        Random random = new(51);
        using CpuBackend tiles = Samples.Backend(nameof(InstructionSet.Amx), 2), vectors = Samples.Backend(nameof(InstructionSet.Avx512Vnni), 2);
        foreach (ElementType type in Enum.GetValues<ElementType>().Where(t => t.IsQuantized()))
        {
            foreach (int columns in new[] { 1024, 1280, 4352 })
            {
                BlockTensor weight = new(random, type, 50, columns);
                Matrix matrix = tiles.LoadMatrix(MatrixUse.Layer, weight), twin = vectors.LoadMatrix(MatrixUse.Layer, weight);
                foreach (int count in TokenCounts)
                {
                    float[][] input = [.. Enumerable.Range(0, count).Select(_ => Samples.Floats(random, columns))];
                    float[][] expected = Project(vectors, twin, input), found = Project(tiles, matrix, input);
                    for (int t = 0; t < count; t++) Samples.AssertSameBits(expected[t], found[t], $"{type}, {columns} columns, token {t} of {count}");
                }
            }
        }
    }

    [Fact]
    public void A_bf16_sum_takes_even_columns_then_odd_ones_of_32_at_a_time()
    {
        Assert.SkipUnless(HasTiles && MachineFeatures.TilesOfBf16, NoTiles);
        Random random = new(52);
        using CpuBackend backend = Samples.Backend(nameof(InstructionSet.Amx), 2);
        foreach (int columns in new[] { 1, 31, 32, 33, 2048, 4500 })
        {
            MemoryTensor weight = MemoryTensor.Random(random, ElementType.BF16, 40, columns);
            Matrix matrix = backend.LoadMatrix(MatrixUse.Layer, weight);
            foreach (int count in TokenCounts)
            {
                float[][] input = [.. Enumerable.Range(0, count).Select(_ => Samples.Floats(random, columns))];
                float[][] found = Project(backend, matrix, input);
                for (int t = 0; t < count; t += Math.Max(1, count - 1))
                {
                    float[] rounded = [.. input[t].Select(Samples.RoundToBf16)];
                    float[] expected = [.. Enumerable.Range(0, 40).Select(row => Sum(weight.Values.AsSpan(row * columns, columns), rounded))];
                    Samples.AssertSameBits(expected, found[t], $"{columns} columns, token {t} of {count}");
                }
            }
        }
    }

    [Fact]
    public void What_lies_behind_the_last_column_never_counts()
    {
        Assert.SkipUnless(HasTiles, NoTiles);
        Random random = new(53);
        using CpuBackend backend = Samples.Backend(nameof(InstructionSet.Amx));
        float[][] bad = [.. Enumerable.Repeat(Enumerable.Repeat(float.NaN, 96).ToArray(), 40)], good = [.. Enumerable.Range(0, 40).Select(_ => Samples.Floats(random, 49))];
        Matrix wide = backend.LoadMatrix(MatrixUse.Layer, MemoryTensor.Random(random, ElementType.BF16, 16, 96));
        Matrix narrow = backend.LoadMatrix(MatrixUse.Layer, MemoryTensor.Random(random, ElementType.BF16, 16, 49));
        float[][] before = Project(backend, narrow, good);
        Project(backend, wide, bad); // leaves NaN in the buffer of prepared activations
        float[][] after = Project(backend, narrow, good);
        for (int t = 0; t < good.Length; t++) Samples.AssertSameBits(before[t], after[t], $"token {t}");
        Assert.All(after, row => Assert.All(row, value => Assert.True(float.IsFinite(value))));
    }

    /// <summary>See <see cref="Memory.SignalStack"/>: without it this ends the process.</summary>
    [Fact]
    public void A_fault_in_a_thread_that_used_tiles_is_still_an_exception()
    {
        Assert.SkipUnless(HasTiles, NoTiles);
        Exception? caught = null;
        Thread thread = new(() =>
        {
            using CpuBackend backend = Samples.Backend(nameof(InstructionSet.Amx));
            Project(backend, backend.LoadMatrix(MatrixUse.Layer, MemoryTensor.Random(new Random(54), ElementType.BF16, 16, 64)), [new float[64]]);
            string? nothing = Environment.GetEnvironmentVariable("a variable that is not set");
            caught = Record.Exception(() => nothing!.Length);
        });
        thread.Start();
        thread.Join();
        Assert.IsType<NullReferenceException>(caught);
    }

    /// <summary>TDPBF16PS as Intel's manual has it: in each 32 columns even ones and odd ones from 0, fused, then both together to the sum.</summary>
    private static float Sum(ReadOnlySpan<float> weights, float[] input)
    {
        float sum = 0;
        for (int first = 0; first < input.Length; first += Bf16Tiles.UnitColumns)
        {
            float even = 0, odd = 0;
            for (int k = first; k < Math.Min(first + Bf16Tiles.UnitColumns, input.Length); k++)
            {
                if (k % 2 == 0) even = MathF.FusedMultiplyAdd(input[k], weights[k], even);
                else odd = MathF.FusedMultiplyAdd(input[k], weights[k], odd);
            }

            sum += even + odd;
        }

        return sum;
    }

    private static float[][] Project(CpuBackend backend, Matrix matrix, float[][] input)
    {
        Activation from = backend.Fill(input), to = backend.AllocateActivation(input.Length, matrix.Rows);
        backend.Project(from, matrix, null, to);
        return backend.ReadAll(to);
    }
}
