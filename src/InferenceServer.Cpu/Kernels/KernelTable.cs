using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Kernels;

internal enum InstructionSet
{
    Portable,
    Avx2,
    Avx512,
}

/// <summary>
/// The kernels of one weight format. To add a format: give it a word layout (how many columns a 32-bit word of the 16-row
/// interleave holds, or a packer of its own), three functions, and one row in <see cref="KernelTable"/> per instruction set.
/// </summary>
internal sealed unsafe class FormatKernels
{
    public required ElementType Type { get; init; }

    public required int ColumnsPerWord { get; init; }

    /// <summary>Products straight from the stored format.</summary>
    public required delegate*<Tile*, void> Multiply { get; init; }

    /// <summary>Products with f32 tiles of any stride and any number of tokens: widened panels.</summary>
    public required delegate*<Tile*, void> MultiplyF32 { get; init; }

    /// <summary>(weights of a group, word stride, columns, panel): widens columns of one group to f32 (columns, 16). Null: it is f32 already.</summary>
    public required delegate*<byte*, nint, int, float*, void> Expand { get; init; }

    /// <summary>
    /// From how many tokens on it pays to widen a panel once and multiply that. Measured in cache on Zen 4, GFLOP/s: four bf16 tokens straight 98,
    /// f16 44; six f32 tokens 118; widening 30 and 13 G weights/s.
    /// </summary>
    public required int MinTokensForPanels { get; init; }

    public int WordsPerRow(int columns) => (columns + ColumnsPerWord - 1) / ColumnsPerWord;
}

/// <summary>
/// The kernels of this machine, chosen once by instruction set. Inside loops nothing asks what the machine can do.
/// </summary>
internal sealed unsafe class KernelTable
{
    private readonly FormatKernels[] _formats;

    private KernelTable(InstructionSet instructionSet, delegate*<Tile*, void> multiplyF32, params FormatKernels[] formats)
    {
        InstructionSet = instructionSet;
        MultiplyF32 = multiplyF32;
        _formats = formats;
    }

    public InstructionSet InstructionSet { get; }

    /// <summary>Products with f32 tiles of any stride and any number of tokens: widened panels, attention.</summary>
    public delegate*<Tile*, void> MultiplyF32 { get; }

    /// <summary>The widest set that this machine has.</summary>
    public static InstructionSet Best =>
        IsSupported(InstructionSet.Avx512) ? InstructionSet.Avx512 : IsSupported(InstructionSet.Avx2) ? InstructionSet.Avx2 : InstructionSet.Portable;

    public static bool IsSupported(InstructionSet set) => set switch
    {
        InstructionSet.Avx512 => Avx512F.IsSupported && Avx512BW.IsSupported && Vector512.IsHardwareAccelerated,
        InstructionSet.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        _ => true,
    };

    public static KernelTable For(InstructionSet set) => set switch
    {
        InstructionSet.Avx512 => Create<LanesAvx512>(set, &MatMulWide<LanesAvx512>.Multiply),
        InstructionSet.Avx2 => Create<LanesAvx2>(set, &MatMulWide<LanesAvx2>.Multiply),
        _ => Create<LanesPortable>(set, &MatMulWide<LanesPortable>.Multiply),
    };

    public FormatKernels this[ElementType type] => Array.Find(_formats, f => f.Type == type)
        ?? throw new NotSupportedException($"The CPU backend has no kernels for {type} weights; it has F32, F16 and BF16.");

    private static KernelTable Create<TLanes>(InstructionSet set, delegate*<Tile*, void> wide)
        where TLanes : struct, ILanes<TLanes> => new(
            set,
            wide,
            new FormatKernels { Type = ElementType.F32, ColumnsPerWord = 1, Multiply = wide, MultiplyF32 = wide, Expand = null, MinTokensForPanels = 12 },
            new FormatKernels
            {
                Type = ElementType.BF16,
                ColumnsPerWord = 2,
                Multiply = &MatMul<TLanes, Bf16Format<TLanes>>.Multiply,
                MultiplyF32 = wide,
                Expand = &MatMul<TLanes, Bf16Format<TLanes>>.Expand,
                MinTokensForPanels = 12,
            },
            new FormatKernels
            {
                Type = ElementType.F16,
                ColumnsPerWord = 2,
                Multiply = &MatMul<TLanes, F16Format<TLanes>>.Multiply,
                MultiplyF32 = wide,
                Expand = &MatMul<TLanes, F16Format<TLanes>>.Expand,
                MinTokensForPanels = 4,
            });
}
