using System.Buffers.Binary;

namespace InferenceServer.CpuBench.Model;

/// <summary>How a file stores its matrices. <see cref="Encode"/> is null where llama-quantize makes the file.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="TensorType">GGUF's number of the tensors' type.</param>
/// <param name="FileType">GGUF's general.file_type.</param>
/// <param name="BlockColumns">Columns that are stored together.</param>
/// <param name="BlockBytes">Bytes of such a block.</param>
/// <param name="PeerName">What llama.cpp calls it.</param>
internal sealed record WeightFormat(string Name, int TensorType, int FileType, int BlockColumns, int BlockBytes, string PeerName, WeightFormat.EncodeRow? Encode)
{
    /// <summary>One row to its stored bytes.</summary>
    public delegate void EncodeRow(ReadOnlySpan<float> values, Span<byte> stored);

    public static WeightFormat F32 { get; } = new("f32", 0, 0, 1, 4, "F32", WriteF32);

    public static WeightFormat F16 { get; } = new("f16", 1, 1, 1, 2, "F16", WriteF16);

    public static WeightFormat BF16 { get; } = new("bf16", 30, 32, 1, 2, "BF16", WriteBF16);

    public static WeightFormat Q8 { get; } = new("q8_0", 8, 7, 32, 34, "Q8_0", BlockQuantizer.WriteQ8);

    public static WeightFormat Q4 { get; } = new("q4_0", 2, 2, 32, 18, "Q4_0", BlockQuantizer.WriteQ4);

    /// <summary>A mixture of Q4_K and Q6_K that llama-quantize chooses tensor by tensor.</summary>
    public static WeightFormat Q4KMedium { get; } = new("q4_k_m", -1, 15, 256, 144, "Q4_K_M", null);

    /// <summary>In the order of the table.</summary>
    public static IReadOnlyList<WeightFormat> All { get; } = [Q4, Q4KMedium, Q8, BF16, F16, F32];

    /// <exception cref="BenchException">No format of that name.</exception>
    public static WeightFormat Find(string name) => All.FirstOrDefault(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new BenchException($"'{name}' is no format; choose among {string.Join(", ", All.Select(f => f.Name))}.");

    public int RowBytes(int columns) => columns % BlockColumns == 0
        ? columns / BlockColumns * BlockBytes
        : throw new BenchException($"{columns} columns are no whole number of {Name}'s blocks of {BlockColumns}.");

    public override string ToString() => PeerName;

    private static void WriteF32(ReadOnlySpan<float> values, Span<byte> stored)
    {
        for (int i = 0; i < values.Length; i++) BinaryPrimitives.WriteSingleLittleEndian(stored[(4 * i)..], values[i]);
    }

    private static void WriteF16(ReadOnlySpan<float> values, Span<byte> stored)
    {
        for (int i = 0; i < values.Length; i++) BinaryPrimitives.WriteHalfLittleEndian(stored[(2 * i)..], (Half)values[i]);
    }

    private static void WriteBF16(ReadOnlySpan<float> values, Span<byte> stored)
    {
        for (int i = 0; i < values.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            bits += 0x7FFF + ((bits >> 16) & 1); // to the nearest, ties to even; no NaN is drawn
            BinaryPrimitives.WriteUInt16LittleEndian(stored[(2 * i)..], (ushort)(bits >> 16));
        }
    }
}
