using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels;

/// <summary>How stored keys and values become floats: two vectors of 16 at a time, in registers.</summary>
internal unsafe interface IKvFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    /// <summary>Bytes of 32 numbers: two dimensions of 16 keys, or 32 columns of a value.</summary>
    static abstract nint PairBytes { get; }

    static abstract void LoadPair(byte* source, out TLanes first, out TLanes second);
}

/// <summary>Keys and values as f32.</summary>
internal readonly unsafe struct F32Kv<TLanes> : IKvFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static nint PairBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 128;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(byte* source, out TLanes first, out TLanes second)
    {
        first = TLanes.Load((float*)source);
        second = TLanes.Load((float*)(source + 64));
    }
}

/// <summary>Two bf16 a word.</summary>
internal readonly unsafe struct Bf16Kv<TLanes> : IKvFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static nint PairBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 64;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(byte* source, out TLanes first, out TLanes second) => TLanes.LoadBf16Pair(source, out first, out second);
}

/// <summary>Signed bytes; whoever multiplies brings the scales in later.</summary>
internal readonly unsafe struct Q8Kv<TLanes> : IKvFormat<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static nint PairBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 32;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(byte* source, out TLanes first, out TLanes second)
    {
        first = TLanes.LoadSigned((sbyte*)source);
        second = TLanes.LoadSigned((sbyte*)(source + 16));
    }
}
