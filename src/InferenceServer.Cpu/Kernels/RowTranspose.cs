using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Four 32-bit words of sixteen rows to four vectors of 64 bytes, word w of row r at place r of vector w: the one move that all layouts are made by.
/// Rows 4j to 4j + 3 meet in 128-bit lane j, so that it takes unpacks within lanes only.
/// </summary>
internal unsafe interface IRowTranspose
{
    static abstract bool IsSupported { get; }

    /// <param name="rows">Sixteen, at any address.</param>
    /// <param name="offset">Bytes from a row's beginning to its 16 bytes.</param>
    /// <param name="flip">Bits of every word to invert.</param>
    /// <param name="target">256 bytes.</param>
    static abstract void FourWords(byte** rows, nint offset, uint flip, byte* target);
}

internal readonly unsafe struct Transpose512 : IRowTranspose
{
    public static bool IsSupported => Avx512F.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FourWords(byte** rows, nint offset, uint flip, byte* target)
    {
        Vector512<uint> inverted = Vector512.Create(flip);
        Vector512<uint> a = Load(rows, offset) ^ inverted, b = Load(rows + 1, offset) ^ inverted;
        Vector512<uint> c = Load(rows + 2, offset) ^ inverted, d = Load(rows + 3, offset) ^ inverted;
        Vector512<ulong> lowAb = Avx512F.UnpackLow(a, b).AsUInt64(), highAb = Avx512F.UnpackHigh(a, b).AsUInt64();
        Vector512<ulong> lowCd = Avx512F.UnpackLow(c, d).AsUInt64(), highCd = Avx512F.UnpackHigh(c, d).AsUInt64();
        Avx512F.UnpackLow(lowAb, lowCd).Store((ulong*)target);
        Avx512F.UnpackHigh(lowAb, lowCd).Store((ulong*)(target + 64));
        Avx512F.UnpackLow(highAb, highCd).Store((ulong*)(target + 128));
        Avx512F.UnpackHigh(highAb, highCd).Store((ulong*)(target + 192));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Load(byte** rows, nint offset) => Vector512.Create(
        Vector256.Create(Vector128.Load((uint*)(rows[0] + offset)), Vector128.Load((uint*)(rows[4] + offset))),
        Vector256.Create(Vector128.Load((uint*)(rows[8] + offset)), Vector128.Load((uint*)(rows[12] + offset))));
}

internal readonly unsafe struct Transpose256 : IRowTranspose
{
    public static bool IsSupported => Avx2.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FourWords(byte** rows, nint offset, uint flip, byte* target)
    {
        Eight(rows, offset, flip, target);
        Eight(rows + 8, offset, flip, target + 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight(byte** rows, nint offset, uint flip, byte* target)
    {
        Vector256<uint> inverted = Vector256.Create(flip);
        Vector256<uint> a = Load(rows, offset) ^ inverted, b = Load(rows + 1, offset) ^ inverted;
        Vector256<uint> c = Load(rows + 2, offset) ^ inverted, d = Load(rows + 3, offset) ^ inverted;
        Vector256<ulong> lowAb = Avx2.UnpackLow(a, b).AsUInt64(), highAb = Avx2.UnpackHigh(a, b).AsUInt64();
        Vector256<ulong> lowCd = Avx2.UnpackLow(c, d).AsUInt64(), highCd = Avx2.UnpackHigh(c, d).AsUInt64();
        Avx2.UnpackLow(lowAb, lowCd).Store((ulong*)target);
        Avx2.UnpackHigh(lowAb, lowCd).Store((ulong*)(target + 64));
        Avx2.UnpackLow(highAb, highCd).Store((ulong*)(target + 128));
        Avx2.UnpackHigh(highAb, highCd).Store((ulong*)(target + 192));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Load(byte** rows, nint offset) =>
        Vector256.Create(Vector128.Load((uint*)(rows[0] + offset)), Vector128.Load((uint*)(rows[4] + offset)));
}

/// <summary>x86 of any age, and Arm.</summary>
internal readonly unsafe struct Transpose128 : IRowTranspose
{
    public static bool IsSupported => Sse2.IsSupported || AdvSimd.Arm64.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FourWords(byte** rows, nint offset, uint flip, byte* target)
    {
        for (int lane = 0; lane < 4; lane++, rows += 4, target += 16)
        {
            Vector128<uint> inverted = Vector128.Create(flip);
            Vector128<uint> a = Vector128.Load((uint*)(rows[0] + offset)) ^ inverted, b = Vector128.Load((uint*)(rows[1] + offset)) ^ inverted;
            Vector128<uint> c = Vector128.Load((uint*)(rows[2] + offset)) ^ inverted, d = Vector128.Load((uint*)(rows[3] + offset)) ^ inverted;
            Vector128<ulong> lowAb = Low(a, b).AsUInt64(), highAb = High(a, b).AsUInt64(), lowCd = Low(c, d).AsUInt64(), highCd = High(c, d).AsUInt64();
            Low(lowAb, lowCd).Store((ulong*)target);
            High(lowAb, lowCd).Store((ulong*)(target + 64));
            Low(highAb, highCd).Store((ulong*)(target + 128));
            High(highAb, highCd).Store((ulong*)(target + 192));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Low(Vector128<uint> a, Vector128<uint> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> High(Vector128<uint> a, Vector128<uint> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Low(Vector128<ulong> a, Vector128<ulong> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> High(Vector128<ulong> a, Vector128<ulong> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);
}
