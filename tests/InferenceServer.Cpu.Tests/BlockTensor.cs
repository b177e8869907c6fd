using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Tests.Plain;

namespace InferenceServer.Cpu.Tests;

/// <summary>A quantized tensor of random blocks in an array.</summary>
internal sealed class BlockTensor(Random random, ElementType type, int rows, int columns, string name = "test.blocks") : HostTensor(name, type, [rows, columns])
{
    private readonly byte[] _stored = PlainBlocks.Random(random, type, (long)rows * columns / type.BlockColumns());

    public override ReadOnlySpan<byte> Row(long row) => _stored.AsSpan((int)(row * Type.RowBytes(Columns)), (int)Type.RowBytes(Columns));

    /// <summary>What the stored number means.</summary>
    public double Value(int row, int column)
    {
        ReadOnlySpan<byte> block = Row(row)[(column / Type.BlockColumns() * Type.BlockBytes())..];
        return PlainBlocks.Number(block, Type, column % Type.BlockColumns());
    }
}
