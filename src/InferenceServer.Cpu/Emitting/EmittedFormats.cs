using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Emitting;

/// <summary>A quantized format multiplied by emitted code.</summary>
internal sealed unsafe class EmittedQuantizedFormat(QuantizedLayout layout, EmittedKernels kernels) : WeightFormat
{
    public override ElementType Type => layout.Type;

    public override string Layout => QuantizedLayout.Name;

    public override InputForm InputFor(int tokens) => layout.Input;

    public override long GroupBytes(int columns) => layout.GroupBytes(columns);

    public override void Pack(byte** rows, int columns, byte* group) => layout.Pack(rows, columns, group);

    public override void Unpack(byte* group, int row, int columns, float* output) => layout.Unpack(group, row, columns, output);

    public override void Multiply(in LinearTile tile, float* scratch) => kernels.Multiply(tile, layout.Turns(tile.Columns));
}

/// <summary>BF16 and F16 multiplied by emitted code. Padding columns are zeros up to a multiple of 16.</summary>
internal sealed unsafe class EmittedHalfFormat(ElementType type, InputForm input, EmittedKernels kernels) : WeightFormat
{
    private const int Turn = Bf16Emitter.ColumnsPerTurn;

    public override ElementType Type => type;

    public override string Layout => type == ElementType.BF16 ? "padded words" : "columns";

    public override InputForm InputFor(int tokens) => input;

    public override long GroupBytes(int columns) => (long)Turns(columns) * Turn * Tile.GroupRows * sizeof(ushort);

    public override void Pack(byte** rows, int columns, byte* group)
    {
        int padded = Turns(columns) * Turn;
        if (type == ElementType.BF16) RowPacker.Best.Words(rows, columns * sizeof(ushort), padded / 2, group);
        else RowPacker.Best.Halves(rows, columns, padded, group);
    }

    public override void Unpack(byte* group, int row, int columns, float* output)
    {
        for (int k = 0; k < columns; k++)
        {
            ushort bits = ((ushort*)group)[Place(k, row)];
            output[k] = type == ElementType.BF16 ? BitConverter.UInt32BitsToSingle((uint)bits << 16) : (float)BitConverter.UInt16BitsToHalf(bits);
        }
    }

    public override void Multiply(in LinearTile tile, float* scratch) => kernels.Multiply(tile, Turns(tile.Columns));

    private static int Turns(int columns) => (columns + Turn - 1) / Turn;

    /// <summary>bf16: words of two columns, sixteen rows side by side. f16: a column's sixteen rows side by side.</summary>
    private int Place(int column, int row) =>
        type == ElementType.BF16 ? (column / 2 * Tile.GroupRows + row) * 2 + column % 2 : column * Tile.GroupRows + row;
}

/// <summary>What this machine can run of emitted code, made once for the process.</summary>
internal static class EmittedFormats
{
    private static readonly Lazy<IReadOnlyList<WeightFormat>> MadeTiled = new(CreateTiled), MadeWide = new(CreateWide);
    private static readonly Lazy<IReadOnlyList<WeightFormat>> MadeNarrow = new(CreateNarrow), MadeVnni = new(CreateVnni);

    /// <summary>In matrix tiles, and in vectors for what tiles are no faster at. Empty where the machine or its system has no tiles.</summary>
    public static IReadOnlyList<WeightFormat> Amx => MadeTiled.Value;

    /// <summary>In 512 bits, with VNNI. Empty where the machine lacks it or nothing can be emitted.</summary>
    public static IReadOnlyList<WeightFormat> Avx512Vnni => MadeWide.Value;

    /// <summary>In 256 bits. Empty likewise.</summary>
    public static IReadOnlyList<WeightFormat> Avx2 => MadeNarrow.Value;

    /// <summary>In 256 bits, with VNNI. Empty likewise.</summary>
    public static IReadOnlyList<WeightFormat> AvxVnni => MadeVnni.Value;

    private static List<WeightFormat> CreateTiled()
    {
        List<WeightFormat> formats = [];
        if (!MachineFeatures.TilesOfBytes) return formats;
        AddTiled<Q8Blocks<BytesAvx512, LanesAvx512>>(formats);
        AddTiled<Q4Blocks<BytesAvx512, LanesAvx512>>(formats);
        AddTiled<Q4KBlocks<BytesAvx512, LanesAvx512>>(formats);
        AddTiled<Q5KBlocks<BytesAvx512, LanesAvx512>>(formats);
        if (MachineFeatures.TilesOfBf16 && Bf16TileKernels.TryCreate() is { } kernels) formats.Add(new TiledBf16Format(kernels));
        if (formats.Count > 0) formats.AddRange(Avx512Vnni);
        return formats;
    }

    private static List<WeightFormat> CreateWide()
    {
        List<WeightFormat> formats = [];
        if (!MachineFeatures.Avx512Vnni) return formats;
        AddQuantized(formats, QuantizedLayout.Q8, static () => new Q8Emitter());
        AddQuantized(formats, QuantizedLayout.Q4, static () => new Q4Emitter());
        AddQuantized(formats, QuantizedLayout.Q4K, static () => new Q45KEmitter(fifthBits: false));
        AddQuantized(formats, QuantizedLayout.Q5K, static () => new Q45KEmitter(fifthBits: true));
        AddQuantized(formats, QuantizedLayout.Q6K, static () => new Q6KEmitter());
        AddHalf(formats, ElementType.F16, InputForm.F32, static () => new F16Emitter());
        if (MachineFeatures.Avx512Bf16) AddHalf(formats, ElementType.BF16, InputForm.Bf16, static () => new Bf16Emitter());
        return formats;
    }

    private static List<WeightFormat> CreateNarrow()
    {
        List<WeightFormat> formats = [];
        if (!MachineFeatures.Avx2F16c) return formats;
        Add256(formats, ByteProducts.Avx2);
        AddHalf(formats, ElementType.F16, InputForm.F32, static () => new HalfEmitter256(bf16: false));
        AddHalf(formats, ElementType.BF16, InputForm.F32, static () => new HalfEmitter256(bf16: true));
        return formats;
    }

    private static List<WeightFormat> CreateVnni()
    {
        List<WeightFormat> formats = [];
        if (!MachineFeatures.AvxVnni && !MachineFeatures.Avx512VnniVl) return formats;
        Add256(formats, MachineFeatures.AvxVnni ? ByteProducts.AvxVnni : ByteProducts.Avx512VnniVl);
        formats.AddRange(Avx2.Where(f => !f.Type.IsQuantized()));
        return formats;
    }

    private static void Add256(List<WeightFormat> formats, ByteProducts products)
    {
        AddQuantized(formats, QuantizedLayout.Q8, () => new Q8Emitter256(products));
        AddQuantized(formats, QuantizedLayout.Q4, () => new Q4Emitter256(products));
        AddQuantized(formats, QuantizedLayout.Q4K, () => new Q4KEmitter256(products));
        AddQuantized(formats, QuantizedLayout.Q5K, () => new Q5KEmitter256(products));
        AddQuantized(formats, QuantizedLayout.Q6K, () => new Q6KEmitter256(products));
    }

    private static void AddTiled<TFormat>(List<WeightFormat> formats)
        where TFormat : struct, IBlockFormat<BytesAvx512, LanesAvx512>
    {
        if (Avx512Vnni.FirstOrDefault(f => f.Type == TFormat.Layout.Type) is { } vectors && ByteTileKernels.TryCreate<TFormat>() is { } tiles)
            formats.Add(new TiledQuantizedFormat(TFormat.Layout, vectors, tiles));
    }

    private static void AddQuantized(List<WeightFormat> formats, QuantizedLayout layout, Func<DotEmitter> emitter)
    {
        if (EmittedKernels.TryCreate(emitter) is { } kernels) formats.Add(new EmittedQuantizedFormat(layout, kernels));
    }

    private static void AddHalf(List<WeightFormat> formats, ElementType type, InputForm input, Func<DotEmitter> emitter)
    {
        if (EmittedKernels.TryCreate(emitter) is { } kernels) formats.Add(new EmittedHalfFormat(type, input, kernels));
    }
}
