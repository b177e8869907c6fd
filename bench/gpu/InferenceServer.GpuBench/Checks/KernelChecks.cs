using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Kernels;
using InferenceServer.GpuBench.Probes;

namespace InferenceServer.GpuBench.Checks;

/// <summary>
/// Each kernel family once against its formula in double precision, on whatever driver is there. The tests sweep more sizes, on the stand-in; this asks
/// whether real hardware agrees with it. An error is the distance over the length of what was expected.
/// </summary>
internal sealed class KernelChecks(ProbeDevice device, CheckSizes sizes, ResultLog log)
{
    private const double Tolerance = 4e-3; // of bf16, whose numbers have 8 bits: 2^-8

    /// <summary>False if any family failed.</summary>
    public bool Run(ElementType precision)
    {
        (string Name, Func<CheckBuffers, double> Error)[] checks =
        [
            ("embedding", Embedding),
            ("norm", Norm),
            .. from rows in (int[])[1, 2, 3, 8] select ($"gemv, {rows} rows", (Func<CheckBuffers, double>)(b => Gemv(b, rows))),
            ("gemv gate-up", GateUp),
            .. from tile in Enumerable.Range(0, GemmTile.All.Count) select ($"gemm {GemmTile.All[tile].Name}", (Func<CheckBuffers, double>)(b => Gemm(b, tile, 1))),
            ("gemm in two pieces", b => Gemm(b, 1, 2)),
            ("silu", Silu),
            ("rope", b => new AttentionChecks(device, sizes, b).Rope()),
            .. from headDim in (int[])[64, 128] select ($"decode, head size {headDim}", (Func<CheckBuffers, double>)(b => new AttentionChecks(device, sizes, b).Decode(headDim))),
            .. from headDim in (int[])[64, 128] select ($"prefill, head size {headDim}", (Func<CheckBuffers, double>)(b => new AttentionChecks(device, sizes, b).Prefill(headDim))),
            ("sampling, greedy", Greedy),
        ];
        bool agreed = true;
        foreach ((string name, Func<CheckBuffers, double> error) in checks)
        {
            agreed &= log.Try($"{name}, {precision}", () =>
            {
                using CheckBuffers buffers = new(device, precision);
                double found = error(buffers);
                log.Write("kernel against its twin", ("kernel", name), ("precision", precision.ToString()), ("error", found), ("tolerance", Tolerance), ("agrees", found <= Tolerance));
                if (!(found <= Tolerance)) throw new InvalidOperationException($"differs from its twin by {found:G3}, more than {Tolerance}");
            });
            device.Recover();
        }

        return agreed;
    }

    /// <summary>‖actual - expected‖ / ‖expected‖; infinite if a number is missing.</summary>
    public static double Distance(IReadOnlyList<double> expected, IReadOnlyList<float> actual)
    {
        double difference = 0, length = 0;
        for (int i = 0; i < expected.Count; i++)
        {
            if (!float.IsFinite(actual[i])) return double.PositiveInfinity;
            difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            length += expected[i] * expected[i];
        }

        return Math.Sqrt(difference / length);
    }

    private double Embedding(CheckBuffers b)
    {
        int columns = sizes.Columns, vocabulary = 37;
        float[] table = b.Numbers(vocabulary * columns);
        int[] ids = [3, ~1, 36], feed = [11, 22];
        ulong output = b.Poisoned(4L * ids.Length * columns);
        new EmbeddingKernel(device.Kernels, b.Precision).Launch(device.Stream, new EmbedParams
        {
            Table = b.Half(table),
            TokenIds = b.Upload<int>(ids),
            Feed = b.Upload<int>(feed),
            Resolved = b.Zeros(4L * ids.Length),
            Out = output,
            Columns = columns,
            TableStride = columns,
            OutStride = columns,
            Vocabulary = vocabulary,
        }, ids.Length);
        return Distance([.. ids.SelectMany(id => table.AsSpan((id < 0 ? feed[~id] : id) * columns, columns).ToArray()).Select(v => (double)v)], b.Read<float>(output, ids.Length * columns));
    }

    private double Norm(CheckBuffers b)
    {
        int columns = sizes.Columns;
        const int Rows = 3;
        float[] residual = b.Numbers(Rows * columns), delta = b.Numbers(Rows * columns), gain = b.Numbers(columns);
        ulong output = b.Poisoned(2L * Rows * columns);
        new NormKernel(device.Kernels, b.Precision).Launch(device.Stream, new NormParams
        {
            Residual = b.Upload<float>(residual),
            Delta = b.Half(delta),
            Gain = b.Upload<float>(gain),
            Out = output,
            Columns = columns,
            ResidualStride = columns,
            DeltaStride = columns,
            OutStride = columns,
            Epsilon = 1e-5f,
        }, Rows);
        double[] expected = new double[Rows * columns];
        for (int r = 0; r < Rows; r++)
        {
            double[] sum = [.. Enumerable.Range(r * columns, columns).Select(i => (double)residual[i] + delta[i])];
            double scale = 1 / Math.Sqrt(sum.Average(v => v * v) + 1e-5);
            for (int i = 0; i < columns; i++) expected[r * columns + i] = sum[i] * scale * gain[i];
        }

        return Distance(expected, b.ReadHalf(output, Rows * columns));
    }

    private double Gemv(CheckBuffers b, int m) =>
        Linear(b, m, p => new GemvKernel(device.Kernels, b.Precision).Launch(device.Stream, p), 1);

    private double Gemm(CheckBuffers b, int tile, int splits) =>
        Linear(b, Math.Min(sizes.Rows, GemmTile.All[tile].Rows + 3), p => new GemmKernel(device.Kernels, b.Precision).Launch(device.Stream, p, new GemmPlan(tile, splits)), splits);

    private double Linear(CheckBuffers b, int m, Action<LinearParams> launch, int splits)
    {
        int n = sizes.Outputs, k = sizes.Columns;
        float[] x = b.Numbers(m * k), w = b.Numbers(n * k), bias = b.Numbers(n);
        ulong output = b.Poisoned(2L * m * n);
        launch(new LinearParams
        {
            X = b.Half(x),
            W = b.Half(w),
            Bias = b.Upload<float>(bias),
            Y = output,
            Partial = splits > 1 ? b.Poisoned(4L * splits * m * n) : 0,
            Counters = b.Zeros(1 << 16),
            M = m,
            N = n,
            K = k,
            XStride = k,
            WStride = k,
            YStride = n,
            Splits = splits,
        });
        double[] expected = Product(x, w, m, n, k);
        for (int i = 0; i < expected.Length; i++) expected[i] += bias[i % n];
        return Distance(expected, b.ReadHalf(output, m * n));
    }

    private double GateUp(CheckBuffers b)
    {
        const int Rows = 2;
        int n = sizes.Outputs, k = sizes.Columns;
        float[] x = b.Numbers(Rows * k), w = b.Numbers(2 * n * k, 0.05f);
        ulong output = b.Poisoned(2L * Rows * n);
        new GemvKernel(device.Kernels, b.Precision).LaunchGateUp(device.Stream, new GateUpParams
        {
            X = b.Half(x),
            W = b.Half(w),
            Y = output,
            M = Rows,
            Intermediate = n,
            K = k,
            XStride = k,
            WStride = k,
            YStride = n,
        });
        return Distance(Gated(Product(x, w, Rows, 2 * n, k), Rows, n), b.ReadHalf(output, Rows * n));
    }

    private double Silu(CheckBuffers b)
    {
        const int Rows = 3;
        int n = sizes.Outputs;
        float[] gateUp = b.Numbers(Rows * 2 * n);
        ulong output = b.Poisoned(2L * Rows * n);
        new SiluKernel(device.Kernels, b.Precision).Launch(device.Stream, new SiluParams { GateUp = b.Half(gateUp), Y = output, Rows = Rows, Intermediate = n, XStride = 2 * n, YStride = n });
        return Distance(Gated([.. gateUp.Select(v => (double)v)], Rows, n), b.ReadHalf(output, Rows * n));
    }

    /// <summary>0 if the most likely token was chosen in every row, else the share of rows where it was not.</summary>
    private double Greedy(CheckBuffers b)
    {
        const int Rows = 2;
        int vocabulary = sizes.Vocabulary, stride = (vocabulary + 7) & ~7;
        float[] logits = b.Numbers(Rows * stride);
        SampleRow[] rows = new SampleRow[Rows];
        int[] expected = new int[Rows];
        for (int r = 0; r < Rows; r++)
        {
            rows[r] = new SampleRow { Token = r, TopP = 1, Repetition = 1, Mask = -1 };
            ReadOnlySpan<float> row = logits.AsSpan(r * stride, vocabulary);
            expected[r] = ArgMax(row);
        }

        ulong results = b.Poisoned(16L * Rows);
        new SamplingKernel(device.Kernels).Launch(device.Stream, new SampleParams
        {
            Logits = b.Upload<float>(logits),
            Rows = b.Upload<SampleRow>(rows),
            Edits = b.Zeros(16),
            Masks = b.Zeros(16),
            Resolved = b.Zeros(4 * Rows),
            Results = results,
            Feed = b.Zeros(4 * Rows),
            Vocabulary = vocabulary,
            LogitsStride = stride,
        }, Rows);
        SampleOut[] chosen = b.Read<SampleOut>(results, Rows);
        return Enumerable.Range(0, Rows).Count(r => chosen[r].Token != expected[r] || chosen[r].Failed != 0) / (double)Rows;
    }

    private static int ArgMax(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
            if (row[i] > row[best]) best = i;
        return best;
    }

    /// <summary>x (m, k) times w (n, k) transposed.</summary>
    private static double[] Product(float[] x, float[] w, int m, int n, int k)
    {
        double[] y = new double[m * n];
        Parallel.For(0, m * n, at =>
        {
            double sum = 0;
            for (int i = 0; i < k; i++) sum += (double)x[at / n * k + i] * w[at % n * k + i];
            y[at] = sum;
        });
        return y;
    }

    /// <summary>silu(gate) * up of rows that hold n gates, then n ups.</summary>
    private static double[] Gated(double[] gateUp, int rows, int n)
    {
        double[] y = new double[rows * n];
        for (int at = 0; at < y.Length; at++)
        {
            double gate = gateUp[at / n * 2 * n + at % n];
            y[at] = gate / (1 + Math.Exp(-gate)) * gateUp[at / n * 2 * n + n + at % n];
        }

        return y;
    }
}
