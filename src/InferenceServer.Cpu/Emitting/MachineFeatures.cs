using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Emitting;

/// <summary>Instructions that .NET has no name for, asked of the processor itself (Intel SDM, CPUID leaf 7).</summary>
internal static class MachineFeatures
{
    /// <summary>"GenuineIntel" (CPUID leaf 0).</summary>
    public static bool IsIntel { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0).Ebx == 0x756E6547;

    /// <summary>AMD's Zen 5 or later: family 1Ah (CPUID leaf 1), "AuthenticAMD".</summary>
    public static bool IsZen5 { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0).Ebx == 0x68747541 && Family >= 0x1A;

    /// <summary>vpdpbusd and its kind in 512 bits.</summary>
    public static bool Avx512Vnni { get; } = Wide && (Leaf7(0).Ecx >> 11 & 1) != 0;

    /// <summary>vdpbf16ps.</summary>
    public static bool Avx512Bf16 { get; } = Wide && (Leaf7(1).Eax >> 5 & 1) != 0;

    /// <summary>AVX2, FMA and f16 loads (F16C, CPUID leaf 1), all in 256 bits.</summary>
    public static bool Avx2F16c { get; } =
        OperatingSystem.IsLinux() && Avx2.X64.IsSupported && Avx2.IsSupported && Fma.IsSupported && (X86Base.CpuId(1, 0).Ecx >> 29 & 1) != 0;

    /// <summary>vpdpbusd in 256 bits, without AVX-512.</summary>
    public static bool AvxVnni { get; } = Avx2F16c && (Leaf7(1).Eax >> 4 & 1) != 0;

    /// <summary>vpdpbusd in 256 bits, encoded as AVX-512 has it.</summary>
    public static bool Avx512VnniVl { get; } = Avx2F16c && Avx512Vnni && Avx512F.VL.IsSupported;

    /// <summary>Tiles of signed bytes, and the system lets this process use them.</summary>
    public static bool TilesOfBytes { get; } = Avx512Vnni && HasTiles(25) && TileState.TryAllow();

    /// <summary>Tiles of bf16, likewise.</summary>
    public static bool TilesOfBf16 { get; } = Avx512Vnni && HasTiles(22) && TileState.TryAllow();

    private static int Family => (X86Base.CpuId(1, 0).Eax >> 8 & 15) + (X86Base.CpuId(1, 0).Eax >> 20 & 255);

    /// <summary>The system saves 512-bit registers, and emitted code follows its calling convention.</summary>
    private static bool Wide => OperatingSystem.IsLinux() && Avx512BW.X64.IsSupported && Avx512F.IsSupported;

    /// <summary>Tiles at all, and products of a kind.</summary>
    private static bool HasTiles(int product) => (Leaf7(0).Edx >> 24 & Leaf7(0).Edx >> product & 1) != 0;

    private static (int Eax, int Ebx, int Ecx, int Edx) Leaf7(int subleaf) =>
        X86Base.CpuId(0, 0).Eax >= 7 && (subleaf == 0 || X86Base.CpuId(7, 0).Eax >= subleaf) ? X86Base.CpuId(7, subleaf) : default;
}
