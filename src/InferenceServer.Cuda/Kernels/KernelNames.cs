using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Kernels;

/// <summary>How kernels of one family are told apart.</summary>
internal static class KernelNames
{
    /// <summary>bf16 or f16.</summary>
    public static string Suffix(ElementType precision) => precision switch
    {
        ElementType.BF16 => "bf16",
        ElementType.F16 => "f16",
        _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "Kernels compute in BF16 or F16."),
    };

    public static uint Ceiling(int value, int divisor) => (uint)((value + divisor - 1) / divisor);
}
