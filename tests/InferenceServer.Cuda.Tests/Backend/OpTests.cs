using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>Every op through the backend against its formula in double precision.</summary>
public sealed class OpTests
{
    private const double Narrow = 1.0 / 128; // relative, one rounding to bf16 of the result and one of what went in

    private readonly Random _random = new(11);

    [Theory]
    [InlineData(ElementType.BF16)]
    [InlineData(ElementType.F16)]
    public void Embed_gathers_rows_whatever_type_they_were_stored_in(ElementType precision)
    {
        using Rig rig = new(precision);
        MemoryTensor table = MemoryTensor.Random(_random, ElementType.F32, 30, 20);
        Activation hidden = rig.Backend.AllocateActivation(16, 20, ActivationUse.Residual);
        Matrix weights = rig.Backend.LoadMatrix(MatrixUse.Layer, table);
        rig.Step(rig.Tokens(3, 29, 0, 7, 7), () => rig.Backend.Embed(weights, hidden));
        float[] rounded = new MemoryTensor(precision, 30, 20, table.Values).Values;
        int[] ids = [3, 29, 0, 7, 7];
        for (int t = 0; t < 5; t++) Assert.Equal(rounded[(ids[t] * 20)..(ids[t] * 20 + 20)], rig.Backend.ReadRow(hidden, t));
    }

    [Fact]
    public void Norms_divide_by_the_root_mean_square_and_the_second_adds_first()
    {
        using Rig rig = new();
        float[] gain = MemoryTensor.Floats(_random, 20);
        float[][] residual = MemoryTensor.Matrix(_random, ElementType.F32, 3, 20), delta = MemoryTensor.Matrix(_random, ElementType.BF16, 3, 20);
        Activation sum = rig.Fill(residual, ActivationUse.Residual), added = rig.Fill(delta), output = rig.Backend.AllocateActivation(4, 20);
        WeightVector weights = rig.Backend.LoadVector(new MemoryTensor(ElementType.F32, 1, 20, gain));
        rig.Backend.RmsNorm(sum, weights, 1e-5f, output);
        for (int r = 0; r < 3; r++) Close(Formulas.RmsNorm(residual[r], gain, 1e-5), rig.Backend.ReadRow(output, r));
        rig.Backend.AddRmsNorm(sum, added, weights, 1e-5f, output);
        for (int r = 0; r < 3; r++)
        {
            float[] both = [.. residual[r].Zip(delta[r], (a, b) => a + b)];
            Assert.Equal(both, rig.Backend.ReadRow(sum, r));
            Close(Formulas.RmsNorm(both, gain, 1e-5), rig.Backend.ReadRow(output, r));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(9)] // from here on tensor cores
    [InlineData(33)]
    public void Project_multiplies_stacked_weights_and_adds_the_bias(int rows)
    {
        using Rig rig = new();
        float[][] input = MemoryTensor.Matrix(_random, ElementType.BF16, rows, 52);
        MemoryTensor q = MemoryTensor.Random(_random, ElementType.BF16, 21, 52), k = MemoryTensor.Random(_random, ElementType.BF16, 9, 52);
        float[] bias = MemoryTensor.Floats(_random, 30);
        Matrix weights = rig.Backend.LoadMatrix(MatrixUse.Layer, q, k);
        WeightVector added = rig.Backend.LoadVector(new MemoryTensor(ElementType.F32, 1, 30, bias));
        Activation from = rig.Fill(input), narrow = rig.Backend.AllocateActivation(40, 30), wide = rig.Backend.AllocateActivation(40, 30, ActivationUse.Logits);
        rig.Backend.Project(from, weights, added, narrow);
        rig.Backend.Project(from, weights, null, wide);
        float[] all = [.. q.Values, .. k.Values];
        for (int r = 0; r < rows; r++)
        {
            double[] product = Formulas.MatMul(all, input[r], 30);
            Close([.. product.Zip(bias, (a, b) => a + b)], rig.Backend.ReadRow(narrow, r));
            Close(product, rig.Backend.ReadRow(wide, r), 1e-5);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(11)]
    public void GateUpSilu_gates(int rows)
    {
        using Rig rig = new();
        float[][] input = MemoryTensor.Matrix(_random, ElementType.BF16, rows, 24, 0.5f);
        MemoryTensor gate = MemoryTensor.Random(_random, ElementType.BF16, 43, 24), up = MemoryTensor.Random(_random, ElementType.BF16, 43, 24);
        Activation from = rig.Fill(input), output = rig.Backend.AllocateActivation(16, 43);
        rig.Backend.GateUpSilu(from, rig.Backend.LoadMatrix(MatrixUse.Layer, gate, up), output);
        for (int r = 0; r < rows; r++)
        {
            double[] g = Formulas.MatMul(gate.Values, input[r], 43), u = Formulas.MatMul(up.Values, input[r], 43);
            Close([.. g.Zip(u, (a, b) => a / (1 + Math.Exp(-a)) * b)], rig.Backend.ReadRow(output, r), 2 * Narrow);
        }
    }

    [Theory]
    [InlineData(4, 4, 8, 0, false)]
    [InlineData(6, 2, 40, 0, true)]
    [InlineData(8, 1, 16, 7, false)]
    public void Attention_sees_what_was_stored_before_and_in_this_step(int heads, int kvHeads, int headDim, int window, bool normed)
    {
        AttentionShape shape = new(heads, kvHeads, headDim, 0.3f, window);
        using Rig rig = new(ElementType.F16);
        AttentionTwin twin = new(shape, normed, _random);
        twin.Load(rig, layers: 2);
        int[][] tables = [[5, 1, 8], [0, 7, 2]];
        twin.Step(rig, tables, (0, 0, 10), (1, 0, 4));     // two prompts
        twin.Step(rig, tables, (0, 10, 1), (1, 4, 7));     // a decode beside a chunk
        twin.Step(rig, tables, (1, 11, 1), (0, 11, 1));    // decodes, in another order
    }

    [Fact]
    public void Blocks_are_copied_before_anything_is_stored()
    {
        AttentionShape shape = new(2, 2, 8, 0.3f, 0);
        using Rig rig = new(ElementType.F16);
        AttentionTwin twin = new(shape, false, _random);
        twin.Load(rig, layers: 2);
        twin.Step(rig, [[3, 4]], (0, 0, 6));
        twin.Copies = [new BlockCopy(4, 6)];
        twin.Step(rig, [[3, 6]], (0, 6, 1)); // reads positions 4 and 5 from the copy
    }

    [Theory]
    [InlineData(ActivationUse.Hidden)]
    [InlineData(ActivationUse.Residual)]
    public void SelectRows_takes_the_rows_that_the_plan_asks_for(ActivationUse use)
    {
        using Rig rig = new();
        float[][] hidden = MemoryTensor.Matrix(_random, ElementType.BF16, 6, 20);
        Activation from = rig.Fill(hidden, use), to = rig.Backend.AllocateActivation(4, 20, use);
        StepPlan plan = rig.Tokens(1, 2, 3, 4, 5, 6);
        plan.RowCount = 3;
        (plan.Rows[0].Token, plan.Rows[1].Token, plan.Rows[2].Token) = (5, 0, 5);
        rig.Step(plan, () => rig.Backend.SelectRows(from, to));
        Assert.Equal([.. hidden[5], .. hidden[0], .. hidden[5]], (float[])[.. rig.Backend.ReadRow(to, 0), .. rig.Backend.ReadRow(to, 1), .. rig.Backend.ReadRow(to, 2)]);
    }

    [Fact]
    public void Ops_refuse_shapes_and_types_that_do_not_fit()
    {
        using Rig rig = new();
        CudaBackend backend = rig.Backend;
        Matrix matrix = backend.LoadMatrix(MatrixUse.Layer, MemoryTensor.Random(_random, ElementType.F32, 8, 16));
        Activation narrow = backend.AllocateActivation(4, 16), residual = backend.AllocateActivation(4, 16, ActivationUse.Residual), eight = backend.AllocateActivation(4, 8);
        WeightVector gain = backend.LoadVector(MemoryTensor.Random(_random, ElementType.F32, 1, 16));
        Assert.Throws<ArgumentException>(() => backend.Project(eight, matrix, null, narrow));
        Assert.Throws<ArgumentException>(() => backend.Project(residual, matrix, null, eight));
        Assert.Throws<ArgumentException>(() => backend.Project(narrow, matrix, gain, eight));
        Assert.Throws<ArgumentException>(() => backend.GateUpSilu(narrow, matrix, eight));
        Assert.Throws<ArgumentException>(() => backend.RmsNorm(narrow, gain, 1e-5f, narrow));
        Assert.Throws<ArgumentException>(() => backend.RmsNorm(residual, gain, 1e-5f, eight));
        Assert.Throws<InvalidOperationException>(() => backend.Embed(matrix, residual));
        Assert.Throws<InvalidOperationException>(() => backend.Collect(new StepResult(1)));
        Assert.Contains("--kv-block-size", Assert.Throws<ArgumentException>(() => backend.AllocateKvCache(new KvCacheShape(1, 1, 8, 12, 4))).Message, StringComparison.Ordinal);
        Assert.Contains("--device cpu", Assert.Throws<ArgumentException>(() => backend.AllocateKvCache(new KvCacheShape(1, 1, 12, 16, 4))).Message, StringComparison.Ordinal);
        Assert.Contains("--device cpu", Assert.Throws<ArgumentException>(() => backend.AllocateKvCache(new KvCacheShape(1, 1, 264, 16, 4))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_sixteen_query_heads_a_key_head_are_refused()
    {
        using Rig rig = new();
        KvCache cache = rig.Backend.AllocateKvCache(new KvCacheShape(1, 1, 8, 4, 4));
        AttentionShape shape = new(17, 1, 8, 1f, 0);
        Activation qkv = rig.Fill(MemoryTensor.Matrix(_random, ElementType.BF16, 1, shape.QkvColumns)), output = rig.Backend.AllocateActivation(1, shape.QueryColumns);
        StepPlan plan = rig.Tokens(1);
        rig.Backend.BeginStep(plan, cache);
        Assert.Contains("at most 16", Assert.Throws<ArgumentException>(() => rig.Backend.PagedAttention(qkv, shape, cache, 0, output)).Message, StringComparison.Ordinal);
        rig.Backend.BeginStep(plan, cache); // a step that failed half-way is given up
        rig.Backend.EndStep();
        rig.Backend.Collect(new StepResult(1));
    }

    internal static void Close(double[] expected, float[] found, double tolerance = Narrow)
    {
        Assert.Equal(expected.Length, found.Length);
        double size = Math.Max(1e-3, expected.Max(Math.Abs));
        for (int i = 0; i < found.Length; i++)
            if (!(Math.Abs(expected[i] - found[i]) <= tolerance * size)) Assert.Fail($"element {i} is {found[i]}, expected {expected[i]} (largest {size})");
    }
}
