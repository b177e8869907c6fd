using System.Runtime.Intrinsics;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Tests.Plain;

namespace InferenceServer.Cpu.Tests;

/// <summary>Norms, gates, embeddings and the exponential against plain twins.</summary>
public sealed unsafe class RowOpTests
{
    private static readonly int[] Widths = [1, 2, 7, 8, 9, 15, 16, 17, 33, 64, 172, 300];

    [Fact]
    public void Norms_match_the_plain_twin()
    {
        Random random = new(21);
        foreach (int width in Widths)
        {
            using CpuBackend backend = Samples.Backend(2);
            float[][] rows = [.. Enumerable.Range(0, 5).Select(_ => Samples.Floats(random, width, 3))], deltas = [.. rows.Select(_ => Samples.Floats(random, width))];
            MemoryTensor gain = MemoryTensor.Random(random, ElementType.BF16, 1, width);
            WeightVector vector = backend.LoadVector(gain);
            Activation residual = backend.Fill(rows), output = backend.AllocateActivation(5, width);
            backend.RmsNorm(residual, vector, 1e-5f, output);
            CheckNorm(rows, gain.Values, backend.ReadAll(output));
            backend.AddRmsNorm(residual, backend.Fill(deltas), vector, 1e-5f, output);
            float[][] sums = [.. rows.Select((row, r) => row.Zip(deltas[r], (a, b) => a + b).ToArray())];
            CheckNorm(sums, gain.Values, backend.ReadAll(output));
            float[][] kept = backend.ReadAll(residual);
            for (int r = 0; r < 5; r++) Samples.AssertSameBits(sums[r], kept[r], $"residual of width {width}, row {r}");
        }
    }

    [Fact]
    public void Gate_and_up_match_the_plain_twin_in_odd_sizes()
    {
        // 9,001 columns of one token, 541 of 17, 107 of 80 and more: scratch for up is filled more than once.
        Random random = new(22);
        (int Hidden, int Tokens)[] wide = [(9001, 1), (541, 17), (107, 80), (107, 130)];
        foreach ((int hidden, int tokens) in Widths.SelectMany(hidden => new[] { (hidden, 1), (hidden, 3), (hidden, 11) }).Concat(wide))
        {
            using CpuBackend backend = Samples.Backend(2);
            MemoryTensor gate = MemoryTensor.Random(random, ElementType.F16, hidden, 37), up = MemoryTensor.Random(random, ElementType.F16, hidden, 37);
            float[][] input = [.. Enumerable.Range(0, tokens).Select(_ => Samples.Floats(random, 37, 2))];
            Activation output = backend.AllocateActivation(tokens, hidden);
            backend.GateUpSilu(backend.Fill(input), backend.LoadMatrix(MatrixUse.GateUp, gate, up), output);
            float[][] found = backend.ReadAll(output);
            for (int t = 0; t < tokens; t++)
            {
                double[] g = Twins.MatMul(gate.Values, input[t], hidden), u = Twins.MatMul(up.Values, input[t], hidden);
                for (int i = 0; i < hidden; i++)
                    Samples.AssertClose(Twins.Silu(g[i]) * u[i], found[t][i], (1 + Math.Abs(g[i])) * (1 + Math.Abs(u[i])), 2e-6, $"hidden {hidden}, token {t}, column {i}");
            }
        }
    }

    [Fact]
    public void Embedding_rows_are_read_back_exactly()
    {
        Random random = new(23);
        foreach (ElementType type in Samples.FloatTypes)
        {
            foreach (int width in Widths)
            {
                using CpuBackend backend = Samples.Backend();
                MemoryTensor table = MemoryTensor.Random(random, type, 35, width);
                Activation hidden = backend.AllocateActivation(35, width);
                KvCache cache = backend.AllocateKvCache(new KvCacheShape(1, 1, 2, 16, 4));
                backend.BeginStep(new PlanBuilder(16).Next().Add([.. Enumerable.Range(0, 35).Reverse()], 0, [0, 1, 2]).Build(), cache);
                backend.Embed(backend.LoadMatrix(MatrixUse.Layer, table), hidden);
                backend.EndStep();
                float[][] found = backend.ReadAll(hidden);
                for (int t = 0; t < 35; t++)
                    Samples.AssertSameBits(table.Values.AsSpan((34 - t) * width, width), found[t], $"{type} width {width} row {34 - t}");
            }
        }
    }

    [Fact]
    public void The_exponential_is_within_two_units_in_the_last_place()
    {
        double worst = 0;
        for (int step = 0; step < 2_000_000; step++)
        {
            float x = -103.9f + step * (192.5f / 2_000_000);
            double exact = Math.Exp(x), found = Exponential.Exp(Vector256.Create(x)).ToScalar();
            if (exact > float.MaxValue) continue;
            double unit = Math.Max((double)MathF.BitIncrement((float)exact) - (float)exact, float.Epsilon);
            worst = Math.Max(worst, Math.Abs(found - exact) / unit);
        }

        Assert.True(worst <= 2, $"worst error {worst:F2} units in the last place");
    }

    [Theory]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    [InlineData(-200f, 0f)]
    [InlineData(200f, float.PositiveInfinity)]
    [InlineData(0f, 1f)]
    public void The_exponential_knows_its_limits(float x, float expected) =>
        Assert.Equal(expected, Exponential.Exp(Vector256.Create(x)).ToScalar());

    [Fact]
    public void Silu_of_huge_gates_stays_finite()
    {
        using NativeArray gate = new([-1e30f, -100f, -88f, 0f, 88f, 100f, 1e30f, float.NaN]), up = new([1, 1, 1, 1, 1, 1, 1, 1]);
        RowMath.SiluMultiply(gate.Pointer, up.Pointer, 8);
        Assert.Equal(0f, gate.Span[0]);
        Assert.Equal([0f, 88f, 100f, 1e30f, float.NaN], gate.Span[3..].ToArray());
    }

    private static void CheckNorm(float[][] rows, float[] gain, float[][] found)
    {
        for (int r = 0; r < rows.Length; r++)
        {
            double[] expected = Twins.RmsNorm(rows[r], gain, 1e-5);
            for (int i = 0; i < expected.Length; i++) Samples.AssertClose(expected[i], found[r][i], Math.Abs(expected[i]), 1e-6, $"row {r}, column {i} of {gain.Length}");
        }
    }
}
