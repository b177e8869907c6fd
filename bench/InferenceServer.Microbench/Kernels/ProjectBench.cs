using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Microbench.Kernels;

/// <summary>
/// The matrix product of a layer, on all processors: weights of 2,048 outputs and 5,632 inputs (a 1.1 B Llama's down projection). One row is a lone
/// decode and bound by memory (GB/s); many rows are a batch or a prompt and bound by arithmetic (GFLOP/s).
/// </summary>
public class ProjectBench
{
    private const int Outputs = 2048, Inputs = 5632;

    private CpuBackend _backend = null!;
    private Matrix _weight = null!;
    private Activation _input = null!, _output = null!;

    [Params("BF16", "F32")]
    public string Format { get; set; } = "";

    [Params(1, 4, 16, 64, 256)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _backend = new CpuBackend(new CpuOptions(), new HostSampler());
        _weight = _backend.LoadMatrix(MatrixUse.Layer, new RandomTensor(TypeOf(Format), Outputs, Inputs));
        _input = _backend.AllocateActivation(Rows, Inputs);
        _output = _backend.AllocateActivation(Rows, Outputs);
        _input.Rows = Rows;
    }

    [Benchmark]
    public void Project() => _backend.Project(_input, _weight, null, _output);

    [GlobalCleanup]
    public void Cleanup() => _backend.Dispose();

    internal static double Bytes(string format) => (double)Outputs * Inputs * TypeOf(format).Bytes();

    internal static double Flops(int rows) => 2.0 * rows * Outputs * Inputs;

    private static ElementType TypeOf(string format) => Enum.Parse<ElementType>(format);
}
