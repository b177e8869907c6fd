using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>A quantized format's place in memory, the same on every instruction set.</summary>
internal sealed unsafe class QuantizedLayout
{
    /// <summary>See <see cref="WeightFormat.Layout"/>.</summary>
    public const string Name = "blocks";

    public static readonly QuantizedLayout Q8 = new(
        ElementType.Q8, InputForm.BytesSum, Q8Layout.UnitBytes, 0, &Unpacking.Q8);

    public static readonly QuantizedLayout Q4 = new(
        ElementType.Q4, InputForm.BytesSum, Q4Layout.UnitBytes, 0, &Unpacking.Q4);

    public static readonly QuantizedLayout Q4K = new(
        ElementType.Q4K, InputForm.BytesScaledSum, Q4KLayout.UnitBytes, Q4KLayout.HeaderBytes, &Unpacking.Q4K);

    public static readonly QuantizedLayout Q5K = new(
        ElementType.Q5K, InputForm.BytesScaledSum, Q5KLayout.UnitBytes, Q5KLayout.HeaderBytes, &Unpacking.Q5K);

    public static readonly QuantizedLayout Q6K = new(
        ElementType.Q6K, InputForm.BytesSum16, Q6KLayout.UnitBytes, Q6KLayout.HeaderBytes, &Unpacking.Q6K);

    public static readonly IReadOnlyList<QuantizedLayout> All = [Q8, Q4, Q4K, Q5K, Q6K];

    private readonly int _unitBytes;
    private readonly int _headerBytes;
    private readonly delegate*<byte*, int, int, float*, void> _unpack;

    private QuantizedLayout(
        ElementType type, InputForm input, int unitBytes, int headerBytes, delegate*<byte*, int, int, float*, void> unpack)
    {
        (Type, Input, _unitBytes, _headerBytes) = (type, input, unitBytes, headerBytes);
        _unpack = unpack;
    }

    public ElementType Type { get; }

    public InputForm Input { get; }

    /// <summary>Turns of a kernel's outer loop: units of 64 columns, or super-blocks of 256 where there are headers.</summary>
    public int Turns(int columns) => _headerBytes == 0 ? PlainPacking.Units(columns) : PlainPacking.Supers(columns);

    /// <summary>Units of 64 columns.</summary>
    public int Units(int columns) => _headerBytes == 0 ? Turns(columns) : 4 * Turns(columns);

    public long GroupBytes(int columns) => (long)Turns(columns) * (_headerBytes == 0 ? _unitBytes : _headerBytes + 4 * _unitBytes);

    public void Pack(byte** rows, int columns, byte* group) => RowPacker.Best.Blocks(Type, rows, columns, group);

    public void Unpack(byte* group, int row, int columns, float* output) => _unpack(group, row, columns, output);
}
