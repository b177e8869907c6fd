using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files;

/// <summary>A tensor inside a mapped file. Whoever makes one has checked that all of it lies in the file and that a row's bytes fit an int.</summary>
/// <param name="file">Holds it.</param>
/// <param name="name">As in the file.</param>
/// <param name="type">How its numbers are stored.</param>
/// <param name="shape">Row-major.</param>
/// <param name="begin">Bytes from the start of the file.</param>
internal sealed class MappedTensor(MappedFile file, string name, ElementType type, IReadOnlyList<long> shape, long begin) : HostTensor(name, type, shape)
{
    private readonly int _rowBytes = checked((int)type.RowBytes(shape[^1]));

    public override bool StaysInPlace => true;

    public override void Release() => file.Release(begin, Bytes);

    public override ReadOnlySpan<byte> Row(long row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        return file.Bytes(begin + row * _rowBytes, _rowBytes);
    }
}
