using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Tests.Plain;

namespace InferenceServer.Cpu.Tests;

/// <summary>Project through every instruction set, format and shape; the bound: k roundings of 2^-24 of the summed magnitudes, far more than is seen.</summary>
public sealed class MatMulTests
{
    private const double Epsilon = 1.0 / (1 << 24);

    /// <summary>Token counts that reach every kernel and every remainder of it.</summary>
    private static readonly int[] TokenCounts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 17, 24, 29];

    public static TheoryData<string> Sets => Samples.InstructionSets();

    [Theory]
    [MemberData(nameof(Sets))]
    public void Products_match_the_plain_twin_in_every_format_and_odd_size(string set)
    {
        Random random = new(11);
        foreach (ElementType type in Samples.FloatTypes)
        {
            foreach ((int rows, int columns) in new[] { (1, 1), (15, 2), (16, 3), (17, 64), (63, 33), (64, 255), (100, 257), (172, 64), (130, 600) })
            {
                MemoryTensor weight = MemoryTensor.Random(random, type, rows, columns);
                foreach (int tokens in TokenCounts) CheckAgainstTwin(set, random, weight, tokens);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void A_token_gets_the_same_bits_in_any_batch(string set)
    {
        Random random = new(12);
        using CpuBackend backend = Samples.Backend(set);
        foreach (ElementType type in Samples.FloatTypes)
        {
            const int Rows = 147, Columns = 531;
            Matrix matrix = backend.LoadMatrix(MatrixUse.Layer, MemoryTensor.Random(random, type, Rows, Columns));
            float[][] tokens = [.. Enumerable.Range(0, 29).Select(_ => Samples.Floats(random, Columns))];
            float[][] alone = [.. tokens.Select(t => Project(backend, matrix, [t])[0])];
            foreach (int count in TokenCounts)
            {
                float[][] together = Project(backend, matrix, tokens[..count]);
                for (int t = 0; t < count; t++) Samples.AssertSameBits(alone[t], together[t], $"{set} {type}, token {t} of {count}");
            }
        }
    }

    [Fact]
    public void All_fused_instruction_sets_agree_bit_for_bit()
    {
        Random random = new(13);
        MemoryTensor weight = MemoryTensor.Random(random, ElementType.F16, 80, 333);
        float[][] input = [Samples.Floats(random, 333), Samples.Floats(random, 333), Samples.Floats(random, 333)];
        float[][]? expected = null;
        foreach (string set in Samples.InstructionSets().Select(row => row.Data))
        {
            using CpuBackend backend = Samples.Backend(set);
            float[][] found = Project(backend, backend.LoadMatrix(MatrixUse.Layer, weight), input);
            expected ??= found;
            if (System.Runtime.Intrinsics.X86.Fma.IsSupported || System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported)
                for (int t = 0; t < found.Length; t++) Samples.AssertSameBits(expected[t], found[t], set);
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Every_half_widens_exactly(string set)
    {
        // One row per finite half, one column, times 1: the product is the widened weight itself.
        using CpuBackend backend = Samples.Backend(set);
        float[] halves = [.. Enumerable.Range(0, 65536).Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits))];
        Matrix matrix = backend.LoadMatrix(MatrixUse.Layer, new MemoryTensor(ElementType.F16, 65536, 1, halves));
        foreach (int tokens in new[] { 1, 2, 4, 9 })
        {
            float[][] found = Project(backend, matrix, [.. Enumerable.Repeat(new[] { 1f }, tokens)]);
            for (int i = 0; i < halves.Length; i++)
            {
                // 0 + (-0) is +0; all else must be equal, NaN to NaN.
                Assert.True(found[^1][i].Equals(halves[i]) || (found[^1][i] == 0 && halves[i] == 0), $"half 0x{i:X4} became {found[^1][i]:G9}, expected {halves[i]:G9}");
            }
        }
    }

    [Fact]
    public void Stacked_tensors_and_biases_land_one_after_another()
    {
        Random random = new(14);
        using CpuBackend backend = Samples.Backend(2);
        MemoryTensor[] parts = [MemoryTensor.Random(random, ElementType.F16, 20, 24), MemoryTensor.Random(random, ElementType.F16, 7, 24), MemoryTensor.Random(random, ElementType.F16, 9, 24)];
        MemoryTensor[] biases = [.. parts.Select(p => MemoryTensor.Random(random, ElementType.F16, 1, p.Values.Length / 24))];
        float[] input = Samples.Floats(random, 24);
        float[] found = Project(backend, backend.LoadMatrix(MatrixUse.Layer, parts), [input], backend.LoadVector(biases))[0];
        double[] expected = Twins.MatMul([.. parts.SelectMany(p => p.Values)], input, 36);
        float[] bias = [.. biases.SelectMany(b => b.Values)];
        for (int r = 0; r < 36; r++) Samples.AssertClose(expected[r] + bias[r], found[r], 25, 24 * Epsilon, $"row {r}");
    }

    private static void CheckAgainstTwin(string set, Random random, MemoryTensor weight, int tokens)
    {
        using CpuBackend backend = Samples.Backend(set);
        int rows = (int)weight.Rows, columns = weight.Columns;
        float[][] input = [.. Enumerable.Range(0, tokens).Select(_ => Samples.Floats(random, columns))];
        float[][] found = Project(backend, backend.LoadMatrix(MatrixUse.Layer, weight), input);
        for (int t = 0; t < tokens; t++)
        {
            float[] meant = Samples.RoundsInput(set, weight.Type) ? [.. input[t].Select(Samples.RoundToBf16)] : input[t];
            double[] expected = Twins.MatMul(weight.Values, meant, rows);
            for (int r = 0; r < rows; r++)
                Samples.AssertClose(expected[r], found[t][r], columns, (columns + 1) * Epsilon, $"{set} {weight.Type} ({rows}, {columns}), token {t} of {tokens}, row {r}");
        }
    }

    private static float[][] Project(CpuBackend backend, Matrix matrix, float[][] input, WeightVector? bias = null)
    {
        Activation from = backend.Fill(input), to = backend.AllocateActivation(input.Length, matrix.Rows);
        backend.Project(from, matrix, bias, to);
        return backend.ReadAll(to);
    }
}
