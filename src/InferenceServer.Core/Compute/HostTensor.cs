namespace InferenceServer.Core.Compute;

/// <summary>How numbers are stored. A weight format is data: kernels are chosen by it at load.</summary>
public enum ElementType
{
    F32,
    F16,
    BF16,
}

public static class ElementTypes
{
    public static int Bytes(this ElementType type) => type == ElementType.F32 ? 4 : 2;
}

/// <summary>
/// A named tensor in host memory, usually a memory-mapped file. Row-major. Valid while its owner is open; thread-safe to read.
/// </summary>
public abstract class HostTensor(string name, ElementType type, IReadOnlyList<long> shape)
{
    public string Name { get; } = name;

    public ElementType Type { get; } = type;

    public IReadOnlyList<long> Shape { get; } = shape;

    /// <summary>All dimensions but the last; 1 for a vector.</summary>
    public long Rows
    {
        get
        {
            long rows = 1;
            for (int i = 0; i < Shape.Count - 1; i++) rows *= Shape[i];
            return rows;
        }
    }

    /// <summary>The last dimension.</summary>
    public int Columns => checked((int)Shape[^1]);

    /// <summary>The stored bytes of one row: Columns elements.</summary>
    public abstract ReadOnlySpan<byte> Row(long row);
}
