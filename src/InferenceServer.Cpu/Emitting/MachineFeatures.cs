using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Emitting;

/// <summary>Instructions that .NET has no name for, asked of the processor itself (Intel SDM, CPUID leaf 7).</summary>
internal static class MachineFeatures
{
    /// <summary>vpdpbusd and its kind in 512 bits.</summary>
    public static bool Avx512Vnni { get; } = Wide && (Leaf7(0).Ecx >> 11 & 1) != 0;

    /// <summary>vdpbf16ps.</summary>
    public static bool Avx512Bf16 { get; } = Wide && (Leaf7(1).Eax >> 5 & 1) != 0;

    /// <summary>The system saves 512-bit registers, and emitted code follows its calling convention.</summary>
    private static bool Wide => OperatingSystem.IsLinux() && Avx512BW.X64.IsSupported && Avx512F.IsSupported;

    private static (int Eax, int Ebx, int Ecx, int Edx) Leaf7(int subleaf) =>
        X86Base.CpuId(0, 0).Eax >= 7 && (subleaf == 0 || X86Base.CpuId(7, 0).Eax >= subleaf) ? X86Base.CpuId(7, subleaf) : default;
}
