using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/gemv.cu: 1 to <see cref="MaxRows"/> rows.</summary>
internal sealed class GemvKernel
{
    public const int MaxRows = 8;

    private const int Threads = 128, Warps = Threads / 32;

    private static readonly int[] Sizes = [1, 2, 4, 8];

    private readonly CudaFunction[] _project; // by size
    private readonly CudaFunction[] _gateUp;

    public GemvKernel(KernelLibrary library, ElementType precision)
    {
        string suffix = KernelNames.Suffix(precision);
        _project = [.. Sizes.Select(m => library.Function<LinearParams>($"gemv_{suffix}_m{m}"))];
        _gateUp = [.. Sizes.Select(m => library.Function<GateUpParams>($"gemv_gateup_{suffix}_m{m}"))];
    }

    public void Launch(CudaStream stream, in LinearParams parameters)
    {
        int size = SizeOf(parameters.M), columns = Warps * (Sizes[size] <= 2 ? 2 : 4);
        _project[size].Launch(stream, new LaunchShape(KernelNames.Ceiling(Padded(parameters.N), columns), 1, 1, Threads), parameters);
    }

    public void LaunchGateUp(CudaStream stream, in GateUpParams parameters)
    {
        int size = SizeOf(parameters.M), columns = Warps * (Sizes[size] <= 2 ? 1 : 2);
        _gateUp[size].Launch(stream, new LaunchShape(KernelNames.Ceiling(Padded(parameters.Intermediate), columns), 1, 1, Threads), parameters);
    }

    private static int SizeOf(int rows) => rows switch { 1 => 0, 2 => 1, <= 4 => 2, _ => 3 };

    /// <summary>The last row's padding columns are written too.</summary>
    private static int Padded(int columns) => (columns + 7) & ~7;
}
