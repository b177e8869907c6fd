using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Emitting;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Kernels;

internal enum InstructionSet
{
    Portable,
    Avx2,
    Avx512,

    /// <summary>AVX2 with F16C, by emitted code. After AVX-512 because managed products of quantized weights are slower in 512 bits.</summary>
    Avx2Emitted,

    /// <summary>The same with VNNI in 256 bits.</summary>
    AvxVnni,

    /// <summary>AVX-512 with VNNI, by emitted code; BF16 products too where the machine has them.</summary>
    Avx512Vnni,

    /// <summary>The same with matrix tiles (AMX), by emitted code.</summary>
    Amx,
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
    private readonly WeightFormat[] _formats;

    private KernelTable(InstructionSet instructionSet, delegate*<Tile*, void> multiplyF32, params WeightFormat[] formats)
    {
        InstructionSet = instructionSet;
        MultiplyF32 = multiplyF32;
        _formats = formats;
    }

    public InstructionSet InstructionSet { get; }

    /// <summary>Products with f32 tiles of any stride and any number of tokens: widened panels, attention.</summary>
    public delegate*<Tile*, void> MultiplyF32 { get; }

    /// <summary>The fastest set that this machine has.</summary>
    public static InstructionSet Best =>
        Enum.GetValues<InstructionSet>().Last(IsSupported);

    public static bool IsSupported(InstructionSet set) => set switch
    {
        InstructionSet.Amx => IsSupported(InstructionSet.Avx512Vnni) && EmittedFormats.Amx.Count > 0,
        InstructionSet.Avx512Vnni => IsSupported(InstructionSet.Avx512) && EmittedFormats.Avx512Vnni.Count > 0,
        InstructionSet.Avx2Emitted => IsSupported(InstructionSet.Avx2) && EmittedFormats.Avx2.Count > 0,
        InstructionSet.AvxVnni => IsSupported(InstructionSet.Avx2) && EmittedFormats.AvxVnni.Count > 0,
        InstructionSet.Avx512 => Avx512F.IsSupported && Avx512BW.IsSupported && Vector512.IsHardwareAccelerated,
        InstructionSet.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        _ => true,
    };

    public static KernelTable For(InstructionSet set) => set switch
    {
        InstructionSet.Amx or InstructionSet.Avx512Vnni or InstructionSet.Avx512 => Create<BytesAvx512, LanesAvx512>(set, &MatMulWide<LanesAvx512>.Multiply),
        InstructionSet.AvxVnni or InstructionSet.Avx2Emitted or InstructionSet.Avx2 => Create<BytesAvx2, LanesAvx2>(set, &MatMulWide<LanesAvx2>.Multiply),
        _ => Create<BytesPortable, LanesPortable>(set, &MatMulWide<LanesPortable>.Multiply),
    };

    /// <summary>The first that knows a type: what is listed first is faster.</summary>
    public WeightFormat this[ElementType type] => Array.Find(_formats, f => f.Type == type)
        ?? throw new NotSupportedException($"The CPU backend has no kernels for {type} weights.");

    /// <summary>The types and where their numbers lie, for whoever keeps packed weights.</summary>
    public string Layouts => string.Join(", ", _formats.DistinctBy(f => f.Type).OrderBy(f => f.Type).Select(f => $"{f.Type} {f.Layout}"));

    private static KernelTable Create<TBytes, TLanes>(InstructionSet set, delegate*<Tile*, void> wide)
        where TBytes : struct, IByteLanes<TBytes, TLanes>
        where TLanes : struct, ILanes<TLanes> => new(
            set,
            wide,
            [
                .. set switch
                {
                    InstructionSet.Amx => EmittedFormats.Amx,
                    InstructionSet.Avx512Vnni => EmittedFormats.Avx512Vnni,
                    InstructionSet.Avx2Emitted => EmittedFormats.Avx2,
                    InstructionSet.AvxVnni => EmittedFormats.AvxVnni,
                    _ => [],
                },
                new WordFormat(new FormatKernels { Type = ElementType.F32, ColumnsPerWord = 1, Multiply = wide, MultiplyF32 = wide, Expand = null, MinTokensForPanels = 12 }),
                new WordFormat(new FormatKernels
                {
                    Type = ElementType.BF16,
                    ColumnsPerWord = 2,
                    Multiply = &MatMul<TLanes, Bf16Format<TLanes>>.Multiply,
                    MultiplyF32 = wide,
                    Expand = &MatMul<TLanes, Bf16Format<TLanes>>.Expand,
                    MinTokensForPanels = 12,
                }),
                new WordFormat(new FormatKernels
                {
                    Type = ElementType.F16,
                    ColumnsPerWord = 2,
                    Multiply = &MatMul<TLanes, F16Format<TLanes>>.Multiply,
                    MultiplyF32 = wide,
                    Expand = &MatMul<TLanes, F16Format<TLanes>>.Expand,
                    MinTokensForPanels = 4,
                }),
                new ManagedQuantizedFormat<TBytes, TLanes, Q8Blocks<TBytes, TLanes>>(),
                new ManagedQuantizedFormat<TBytes, TLanes, Q4Blocks<TBytes, TLanes>>(),
                new ManagedQuantizedFormat<TBytes, TLanes, Q4KBlocks<TBytes, TLanes>>(),
                new ManagedQuantizedFormat<TBytes, TLanes, Q5KBlocks<TBytes, TLanes>>(),
                new ManagedQuantizedFormat<TBytes, TLanes, Q6KBlocks<TBytes, TLanes>>(),
            ]);
}
