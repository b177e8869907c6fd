using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Microbench.Kernels;

/// <summary>Rows of 2,048 normalized; the fused form adds a residual first.</summary>
public class RmsNormBench
{
    private const int Columns = 2048;

    private CpuBackend _backend = null!;
    private WeightVector _gain = null!;
    private Activation _input = null!, _delta = null!, _output = null!;

    [Params(1, 16, 256)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _backend = new CpuBackend(new CpuOptions(), new HostSampler());
        _gain = _backend.LoadVector(new RandomTensor(ElementType.F32, 1, Columns));
        (_input, _delta, _output) = (Allocate(), Allocate(), Allocate());
    }

    [Benchmark]
    public void RmsNorm() => _backend.RmsNorm(_input, _gain, 1e-5f, _output);

    [Benchmark]
    public void AddRmsNorm() => _backend.AddRmsNorm(_input, _delta, _gain, 1e-5f, _output);

    [GlobalCleanup]
    public void Cleanup() => _backend.Dispose();

    private Activation Allocate()
    {
        Activation activation = _backend.AllocateActivation(Rows, Columns);
        activation.Rows = Rows;
        return activation;
    }
}
