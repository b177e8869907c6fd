using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Handles;
using InferenceServer.Cuda.Memory;

namespace InferenceServer.Cuda;

/// <summary>A decoder's sizes, from which its memory follows before anything is loaded. Weights are held in two bytes a number.</summary>
public sealed record CudaModelSizes
{
    public required int Layers { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Heads { get; init; }

    public required int KvHeads { get; init; }

    public required int HeadDim { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>The embedding is the head too.</summary>
    public bool TiedEmbeddings { get; init; }

    internal int QueryColumns => Heads * HeadDim;

    internal int QkvColumns => (Heads + 2 * KvHeads) * HeadDim;

    /// <summary>Keys and values of all layers.</summary>
    public long KvBytesPerToken => 2L * Layers * KvHeads * HeadDim * sizeof(ushort);

    /// <summary>All matrices and vectors as the arena holds them, and the rotary table.</summary>
    internal long WeightBytes(int contextLength)
    {
        long layer = Matrix(QkvColumns, HiddenSize) + Matrix(HiddenSize, QueryColumns) + Matrix(2 * IntermediateSize, HiddenSize)
            + Matrix(HiddenSize, IntermediateSize) + 2 * Vector(HiddenSize) + Vector(QkvColumns) + Vector(HiddenSize) + 2 * Vector(HeadDim);
        long rope = 2 * DeviceArena.Align((long)contextLength * (HeadDim / 2) * sizeof(float));
        return Layers * layer + (TiedEmbeddings ? 1 : 2) * Matrix(VocabularySize, HiddenSize) + Vector(HiddenSize) + rope;
    }

    /// <summary>What a model of this family allocates for the tokens and the rows of a step.</summary>
    internal long ActivationBytes(int maxTokens, int maxRows)
    {
        long bytes = Activation(maxTokens, QkvColumns, ActivationUse.Hidden) + Activation(maxRows, VocabularySize, ActivationUse.Logits);
        foreach (int rows in (ReadOnlySpan<int>)[maxTokens, maxRows])
        {
            bytes += Activation(rows, HiddenSize, ActivationUse.Residual) + 2 * Activation(rows, HiddenSize, ActivationUse.Hidden)
                + Activation(rows, QueryColumns, ActivationUse.Hidden) + Activation(rows, IntermediateSize, ActivationUse.Hidden);
        }

        return bytes;
    }

    private static long Matrix(int rows, int columns) => DeviceArena.Align(CudaMatrix.Bytes(rows, columns));

    private static long Vector(int length) => DeviceArena.Align((long)length * sizeof(float));

    private static long Activation(int rows, int columns, ActivationUse use) => DeviceArena.Align(CudaActivation.Bytes(rows, columns, use));
}
