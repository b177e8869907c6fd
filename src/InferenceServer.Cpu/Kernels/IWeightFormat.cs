using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels;

/// <summary>How the words of a group become floats, two columns at a time.</summary>
internal unsafe interface IWeightFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    /// <summary>Bytes that two columns of a group take.</summary>
    static abstract nint PairStride(nint wordStride);

    static abstract void LoadPair(byte* weights, nint wordStride, out TLanes even, out TLanes odd);

    /// <summary>The last column of an odd count.</summary>
    static abstract TLanes LoadLast(byte* weights);
}

/// <summary>One f32 a word.</summary>
internal readonly unsafe struct F32Format<TLanes> : IWeightFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairStride(nint wordStride) => 2 * wordStride;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(byte* weights, nint wordStride, out TLanes even, out TLanes odd)
    {
        even = TLanes.Load((float*)weights);
        odd = TLanes.Load((float*)(weights + wordStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes LoadLast(byte* weights) => TLanes.Load((float*)weights);
}

/// <summary>Two bf16 a word.</summary>
internal readonly unsafe struct Bf16Format<TLanes> : IWeightFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairStride(nint wordStride) => wordStride;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(byte* weights, nint wordStride, out TLanes even, out TLanes odd) => TLanes.LoadBf16Pair(weights, out even, out odd);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes LoadLast(byte* weights)
    {
        TLanes.LoadBf16Pair(weights, out TLanes even, out _);
        return even;
    }
}

/// <summary>Two f16 a word.</summary>
internal readonly unsafe struct F16Format<TLanes> : IWeightFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairStride(nint wordStride) => wordStride;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(byte* weights, nint wordStride, out TLanes even, out TLanes odd) => TLanes.LoadF16Pair(weights, out even, out odd);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes LoadLast(byte* weights)
    {
        TLanes.LoadF16Pair(weights, out TLanes even, out _);
        return even;
    }
}
