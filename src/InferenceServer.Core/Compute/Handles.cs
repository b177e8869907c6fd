namespace InferenceServer.Core.Compute;

/// <summary>A weight matrix in a backend's own layout: (rows = outputs, columns = inputs). Immutable after load.</summary>
public abstract class Matrix(int rows, int columns)
{
    public int Rows { get; } = rows;

    public int Columns { get; } = columns;
}

/// <summary>
/// What a weight matrix is for: a backend that quantizes at load keeps more bits of what costs most accuracy, and one whose memory is not all alike
/// keeps together what is read together.
/// </summary>
public enum MatrixUse
{
    /// <summary>Between two activations of a layer.</summary>
    Layer,

    /// <summary>Of a layer: the rows of a gate over those of an up, which <see cref="IComputeBackend.GateUpSilu"/> reads together.</summary>
    GateUp,

    /// <summary>Rows are looked up by token; with tied embeddings it is the head too.</summary>
    Embedding,

    /// <summary>Makes logits.</summary>
    Head,
}

/// <summary>A small f32 weight: a norm's gain or a bias.</summary>
public abstract class WeightVector(int length)
{
    public int Length { get; } = length;
}

/// <summary>What a buffer is for: a backend whose activations are narrow keeps sums and logits in f32 nevertheless.</summary>
public enum ActivationUse
{
    /// <summary>Between two ops.</summary>
    Hidden,

    /// <summary>The residual stream, which every layer adds to: written by Embed, read by RmsNorm and AddRmsNorm.</summary>
    Residual,

    /// <summary>What tokens are chosen from.</summary>
    Logits,
}

/// <summary>
/// A buffer of activations, (rows, columns), f32 or the backend's own precision. Each op that writes one sets <see cref="Rows"/>.
/// </summary>
public abstract class Activation(int maxRows, int columns)
{
    public int MaxRows { get; } = maxRows;

    public int Columns { get; } = columns;

    /// <summary>Rows valid now.</summary>
    public int Rows { get; set; }
}

/// <summary>The keys and values of all layers, in blocks. Layout is the backend's own.</summary>
public abstract class KvCache(KvCacheShape shape)
{
    public KvCacheShape Shape { get; } = shape;
}

/// <summary>Size of a KV cache: bytes = 2 * Layers * BlockCount * BlockSize * KvHeads * HeadDim * element.</summary>
public sealed record KvCacheShape(int Layers, int KvHeads, int HeadDim, int BlockSize, int BlockCount);

/// <summary>Cosines and sines per position, uploaded once.</summary>
public abstract class RopeTable(int positions, int rotaryDim)
{
    public int Positions { get; } = positions;

    public int RotaryDim { get; } = rotaryDim;
}

/// <summary>
/// One layer's attention: query heads, key/value heads (GQA: Heads % KvHeads == 0), their size, the softmax scale,
/// and how far back a token sees itself included (0 = all; Mistral's sliding window otherwise).
/// A (tokens, qkv) activation holds Heads query heads, then KvHeads key heads, then KvHeads value heads in each row.
/// </summary>
public sealed record AttentionShape(int Heads, int KvHeads, int HeadDim, float Scale, int Window)
{
    public int QueryColumns => Heads * HeadDim;

    public int KvColumns => KvHeads * HeadDim;

    public int QkvColumns => QueryColumns + 2 * KvColumns;
}

/// <summary>RMSNorm over each head of q and k before RoPE (Qwen3); gains of HeadDim elements.</summary>
public sealed record QkNorm(WeightVector QueryGain, WeightVector KeyGain, float Epsilon);
