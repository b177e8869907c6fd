using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.Kernels;

// The mirror of native/params.cuh, which says what each field means. Pointers are device addresses.

[StructLayout(LayoutKind.Sequential)]
internal struct EmbedParams
{
    public ulong Table, TokenIds, Feed, Resolved, Out;
    public int Columns, TableStride, OutStride, Vocabulary;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NormParams
{
    public ulong Residual, Delta, Gain, Out;
    public int Columns, ResidualStride, DeltaStride, OutStride;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinearParams
{
    public ulong X, W, Bias, Y, Partial, Counters;
    public int M, N, K, XStride, WStride, YStride, YF32, Splits;
}

[StructLayout(LayoutKind.Sequential)]
internal struct GateUpParams
{
    public ulong X, W, Y;
    public int M, Intermediate, K, XStride, WStride, YStride;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SiluParams
{
    public ulong GateUp, Y;
    public int Rows, Intermediate, XStride, YStride;
}

[StructLayout(LayoutKind.Sequential)]
internal struct BiasParams
{
    public ulong Y, Bias;
    public int Rows, N, YStride;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RopeParams
{
    public ulong Qkv, Cosines, Sines, Positions, Slots, KCache, VCache, QGain, KGain;
    public float Epsilon;
    public int Tokens, Heads, KvHeads, HeadDim, RotaryDim, QkvStride, BlockShift;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DecodeItem
{
    public int Token, Table, Begin, End, Split, Splits, Partial, Length;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DecodeParams
{
    public ulong Qkv, KCache, VCache, Tables, Items, ItemCount, PartialOut, PartialMl, Counters, Out;
    public int QkvStride, OutStride, Heads, KvHeads, HeadDim, BlockShift, Window;
    public float ScaleLog2;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PrefillItem
{
    public int Token, Rows, Position, Table;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PrefillParams
{
    public ulong Qkv, KCache, VCache, Tables, Items, Out;
    public int QkvStride, OutStride, Heads, KvHeads, HeadDim, BlockShift, Window;
    public float ScaleLog2;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SelectParams
{
    public ulong In, Out, Tokens;
    public int Bytes, InStride, OutStride;
}

[StructLayout(LayoutKind.Sequential)]
internal struct CopyParams
{
    public ulong Cache, Pairs, PlaneBytes, BlockBytes;
}

[Flags]
internal enum SampleFlags
{
    None = 0,
    Skip = 1,
    Pending = 2,
    Logprob = 4,
    Score = 8,
}

[StructLayout(LayoutKind.Sequential)]
internal struct SampleRow
{
    public ulong Seed;
    public int Position, Token;
    public SampleFlags Flags;
    public int Target, TopK;
    public float Temperature, TopP, MinP;
    public float Repetition, Frequency, Presence;
    public int Edits, Biases, Bans, Counts;
    public int Mask;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SampleOut
{
    public int Token;
    public float Logprob;
    public int Rank, Failed;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SampleEdit
{
    public int Token, Value;
    public float Raw;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SampleParams
{
    public ulong Logits, Rows, Edits, Masks, Resolved, Results, Feed;
    public int Vocabulary, LogitsStride;
}
