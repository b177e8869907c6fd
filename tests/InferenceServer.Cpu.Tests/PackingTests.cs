using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Kernels.Quantized;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Tests;

/// <summary>Every way to pack a group gives the bytes that the plain loops give.</summary>
public sealed unsafe class PackingTests
{
    private const int Seed = 20260811;

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Words_are_packed_alike_for_any_columns_and_padding_rows(int numberBytes)
    {
        foreach (int columns in (int[])[1, 2, 3, 7, 8, 9, 15, 16, 31, 32, 33, 100, 257])
        {
            int rowBytes = columns * numberBytes, words = (rowBytes + 3) / 4 + columns % 5;
            Compare(rowBytes, words * 64, (packer, rows, group) => packer.Words(rows, rowBytes, words, group));
        }
    }

    [Fact]
    public void Halves_are_packed_alike_for_any_columns_and_padding_rows()
    {
        foreach (int columns in (int[])[1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 100, 257])
        {
            int padded = (columns + 15) / 16 * 16;
            Compare(columns * 2, padded * 32, (packer, rows, group) => packer.Halves(rows, columns, padded, group));
        }
    }

    [Theory]
    [InlineData(ElementType.Q8)]
    [InlineData(ElementType.Q4)]
    [InlineData(ElementType.Q4K)]
    [InlineData(ElementType.Q5K)]
    [InlineData(ElementType.Q6K)]
    public void Blocks_are_packed_alike_for_any_columns_and_padding_rows(ElementType type)
    {
        QuantizedLayout layout = QuantizedLayout.All.Single(l => l.Type == type);
        for (int blocks = 1; blocks <= 9; blocks++)
        {
            int columns = blocks * type.BlockColumns();
            Compare((int)type.RowBytes(columns), (int)layout.GroupBytes(columns), (packer, rows, group) => packer.Blocks(type, rows, columns, group));
        }
    }

    [Fact]
    public void This_machine_has_a_way_by_vectors() => Assert.True(RowPacker.All.Count > 1);

    [Theory]
    [InlineData(ElementType.Q8)]
    [InlineData(ElementType.Q6K)]
    public void Rows_that_stay_in_place_are_packed_as_rows_that_move(ElementType type)
    {
        Random random = new(Seed);
        BlockTensor first = new(random, type, 21, 512), second = new(random, type, 30, 512);
        using CpuBackend backend = Samples.Backend();
        using FixedTensor inPlace = new(first);
        CpuMatrix moved = (CpuMatrix)backend.LoadMatrix(MatrixUse.Layer, first, second), stayed = (CpuMatrix)backend.LoadMatrix(MatrixUse.Layer, inPlace, second);
        MatrixSection a = moved.Sections[0], b = stayed.Sections[0];
        int bytes = (int)(a.Groups * a.GroupStride);
        Assert.True(new ReadOnlySpan<byte>(a.Weights, bytes).SequenceEqual(new ReadOnlySpan<byte>(b.Weights, bytes)));
    }

    /// <summary>Random bytes are fine: packing knows no numbers.</summary>
    private static void Compare(int rowBytes, int groupBytes, Pack pack)
    {
        Random random = new(Seed + rowBytes);
        using NativeBuffer stored = new(Tile.GroupRows * rowBytes + 1, "rows");
        random.NextBytes(new Span<byte>(stored.Pointer, (int)stored.Bytes));
        foreach (int present in (int[])[16, 15, 1])
        {
            byte[] expected = Packed(RowPacker.All[0], stored, rowBytes, groupBytes, present, pack);
            foreach (RowPacker packer in RowPacker.All.Skip(1))
                Assert.True(expected.AsSpan().SequenceEqual(Packed(packer, stored, rowBytes, groupBytes, present, pack)), $"{packer.GetType()} of {present} rows of {rowBytes} bytes");
        }
    }

    private static byte[] Packed(RowPacker packer, NativeBuffer stored, int rowBytes, int groupBytes, int present, Pack pack)
    {
        using NativeBuffer group = new(groupBytes, "a group");
        Span<byte> bytes = new(group.Pointer, groupBytes);
        bytes.Fill(0xEE); // all of it must be written
        byte** rows = stackalloc byte*[Tile.GroupRows];
        for (int row = 0; row < Tile.GroupRows; row++) rows[row] = row < present ? stored.Pointer + 1 + row * rowBytes : null;
        pack(packer, rows, group.Pointer);
        return bytes.ToArray();
    }

    private delegate void Pack(RowPacker packer, byte** rows, byte* group);

    /// <summary>A copy of another tensor in memory that the collector does not move.</summary>
    private sealed class FixedTensor : HostTensor, IDisposable
    {
        private readonly NativeBuffer _stored;

        public FixedTensor(HostTensor source) : base(source.Name, source.Type, source.Shape)
        {
            _stored = new NativeBuffer(source.Bytes, "a tensor");
            for (long row = 0; row < Rows; row++) source.Row(row).CopyTo(new Span<byte>(_stored.Pointer + row * source.Row(row).Length, source.Row(row).Length));
        }

        public override bool StaysInPlace => true;

        public override ReadOnlySpan<byte> Row(long row)
        {
            int bytes = (int)Type.RowBytes(Columns);
            return new ReadOnlySpan<byte>(_stored.Pointer + row * bytes, bytes);
        }

        public void Dispose() => _stored.Dispose();
    }
}
