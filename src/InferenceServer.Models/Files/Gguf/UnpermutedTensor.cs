using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>
/// The q or k projection of a GGUF "llama": rows of a head are stored in the order 0, half, 1, half + 1, …, because ggml rotates neighbours,
/// and are read here in the order 0, 1, 2, …, because we rotate (i, i + half) as Hugging Face does. Whole rows move, so their type does not matter.
/// A bias is permuted likewise, by its numbers.
/// </summary>
internal sealed class UnpermutedTensor : HostTensor
{
    private readonly HostTensor _stored;
    private readonly int _headDim;

    /// <summary>A bias in the right order; null for a matrix.</summary>
    private readonly byte[]? _bias;

    /// <param name="name">New name.</param>
    /// <param name="stored">(heads * headDim, columns) or, of a type without blocks, (heads * headDim).</param>
    /// <param name="headDim">Even.</param>
    public UnpermutedTensor(string name, HostTensor stored, int headDim) : base(name, stored.Type, stored.Shape)
    {
        _stored = stored;
        _headDim = headDim;
        if (stored.Shape.Count == 1) _bias = Unpermute(stored.Row(0), stored.Type.Bytes());
    }

    /// <summary>Can the rows of this tensor be put in order at all?</summary>
    public static bool CanRead(HostTensor stored, int headDim) => stored.Shape.Count == 1
        ? stored.Columns % headDim == 0 && !stored.Type.IsQuantized()
        : stored.Rows % headDim == 0;

    public override bool StaysInPlace => _bias is null && _stored.StaysInPlace;

    public override void Release() => _stored.Release();

    public override ReadOnlySpan<byte> Row(long row) => _bias ?? _stored.Row(StoredAt(row));

    private long StoredAt(long row)
    {
        long inHead = row % _headDim, half = _headDim / 2;
        return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    }

    private byte[] Unpermute(ReadOnlySpan<byte> stored, int elementBytes)
    {
        byte[] ordered = new byte[stored.Length];
        for (int i = 0; i < stored.Length / elementBytes; i++)
            stored.Slice((int)StoredAt(i) * elementBytes, elementBytes).CopyTo(ordered.AsSpan(i * elementBytes));
        return ordered;
    }
}
