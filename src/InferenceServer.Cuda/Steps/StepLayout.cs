using System.Runtime.CompilerServices;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Steps;

/// <summary>
/// Where the inputs of a step lie, in bytes from the start of the input buffer, the same on host and device. What a graph was captured with must
/// hold for every step of its bucket: the offsets up to the decode items follow from the padded counts alone. What comes behind has no fixed place, so
/// items, rows and edits name it by index from the start of the buffer.
/// </summary>
/// <param name="Tokens">Padded.</param>
/// <param name="Rows">Padded.</param>
internal readonly record struct StepLayout(int Tokens, int Rows)
{
    public const int TokenIds = 0;

    /// <summary>Sections start at multiples: 16-byte loads, and an index of any of their element sizes (4, 8, 16).</summary>
    private const int Alignment = 16;

    public int Positions => Align(TokenIds + Tokens * sizeof(int));

    public int Slots => Align(Positions + Tokens * sizeof(int));

    /// <summary>(rows) Index of the token whose hidden state each row takes.</summary>
    public int RowTokens => Align(Slots + Tokens * sizeof(int));

    public int SampleRows => Align(RowTokens + Rows * sizeof(int));

    /// <summary>One number: decode items in this step.</summary>
    public int ItemCount => Align(SampleRows + Rows * Unsafe.SizeOf<SampleRow>());

    public int DecodeItems => ItemCount + Alignment;

    public static int Align(int bytes) => (bytes + Alignment - 1) / Alignment * Alignment;
}
