using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>How managed kernels read a quantized layout: a step's weights, a part's scales. A part is what shares a scale: a block of 32, or 16 columns.</summary>
internal unsafe interface IBlockFormat<TBytes, TLanes>
    where TBytes : struct, IByteLanes<TBytes, TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    static abstract QuantizedLayout Layout { get; }

    static abstract int UnitBytes { get; }

    static abstract int HeaderBytes { get; }

    /// <summary>1 or 2.</summary>
    static abstract int PartsPerBlock { get; }

    /// <summary>Weights are bytes + 128.</summary>
    static abstract bool Biased { get; }

    /// <summary>What unsigned weights have too much is 2^bits; 0: nothing.</summary>
    static abstract int OffsetBits { get; }

    static abstract bool HasMinimum { get; }

    /// <summary>Weights of columns 4 * step of a block.</summary>
    static abstract TBytes Step(byte* unit, int block, int step);

    static abstract TLanes Scale(byte* header, byte* unit, int part);

    static abstract TLanes Minimum(byte* header, byte* unit, int part);
}

internal readonly unsafe struct Q8Blocks<TBytes, TLanes> : IBlockFormat<TBytes, TLanes>
    where TBytes : struct, IByteLanes<TBytes, TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static QuantizedLayout Layout => QuantizedLayout.Q8;

    public static int UnitBytes => Q8Layout.UnitBytes;

    public static int HeaderBytes => 0;

    public static int PartsPerBlock => 1;

    public static bool Biased => true;

    public static int OffsetBits => 0;

    public static bool HasMinimum => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Step(byte* unit, int block, int step) => TBytes.Load(unit + block * 512 + step * 64);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale(byte* header, byte* unit, int part) => TLanes.LoadHalves((ushort*)(unit + Q8Layout.ScaleOffset + part * 32));

    public static TLanes Minimum(byte* header, byte* unit, int part) => TLanes.Zero;
}

internal readonly unsafe struct Q4Blocks<TBytes, TLanes> : IBlockFormat<TBytes, TLanes>
    where TBytes : struct, IByteLanes<TBytes, TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static QuantizedLayout Layout => QuantizedLayout.Q4;

    public static int UnitBytes => Q4Layout.UnitBytes;

    public static int HeaderBytes => 0;

    public static int PartsPerBlock => 1;

    public static bool Biased => false;

    public static int OffsetBits => 3;

    public static bool HasMinimum => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Step(byte* unit, int block, int step) => Nibbles(unit + block * 256, step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale(byte* header, byte* unit, int part) => TLanes.LoadHalves((ushort*)(unit + Q4Layout.ScaleOffset + part * 32));

    public static TLanes Minimum(byte* header, byte* unit, int part) => TLanes.Zero;

    /// <summary>Low nibbles are steps 0 to 3, high ones 4 to 7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Nibbles(byte* vectors, int step)
    {
        TBytes both = TBytes.Load(vectors + step % 4 * 64);
        return TBytes.And(step < 4 ? both : TBytes.ShiftRight(both, 4), TBytes.Fill(0x0F0F0F0F));
    }
}

internal readonly unsafe struct Q4KBlocks<TBytes, TLanes> : IBlockFormat<TBytes, TLanes>
    where TBytes : struct, IByteLanes<TBytes, TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static QuantizedLayout Layout => QuantizedLayout.Q4K;

    public static int UnitBytes => Q4KLayout.UnitBytes;

    public static int HeaderBytes => Q4KLayout.HeaderBytes;

    public static int PartsPerBlock => 1;

    public static bool Biased => false;

    public static int OffsetBits => 0;

    public static bool HasMinimum => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Step(byte* unit, int block, int step) => Q4Blocks<TBytes, TLanes>.Nibbles(unit + block * 256, step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale(byte* header, byte* unit, int part) => Scaled(header, unit + Q4KLayout.ScaleOffset + part * 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Minimum(byte* header, byte* unit, int part) => Scaled(header + 32, unit + Q4KLayout.MinimumOffset + part * 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scaled(byte* halves, byte* bytes) => TLanes.Multiply(TLanes.LoadHalves((ushort*)halves), TLanes.LoadBytes(bytes));
}

internal readonly unsafe struct Q5KBlocks<TBytes, TLanes> : IBlockFormat<TBytes, TLanes>
    where TBytes : struct, IByteLanes<TBytes, TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static QuantizedLayout Layout => QuantizedLayout.Q5K;

    public static int UnitBytes => Q5KLayout.UnitBytes;

    public static int HeaderBytes => Q5KLayout.HeaderBytes;

    public static int PartsPerBlock => 1;

    public static bool Biased => false;

    public static int OffsetBits => 0;

    public static bool HasMinimum => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Step(byte* unit, int block, int step)
    {
        TBytes bits = TBytes.ShiftRight(TBytes.Load(unit + Q5KLayout.FifthOffset + block * 64), step);
        TBytes fifth = TBytes.ShiftLeft(TBytes.And(bits, TBytes.Fill(0x01010101)), 4);
        return TBytes.Or(Q4Blocks<TBytes, TLanes>.Nibbles(unit + block * 256, step), fifth);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale(byte* header, byte* unit, int part) => Q4KBlocks<TBytes, TLanes>.Scaled(header, unit + Q5KLayout.ScaleOffset + part * 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Minimum(byte* header, byte* unit, int part) => Q4KBlocks<TBytes, TLanes>.Scaled(header + 32, unit + Q5KLayout.MinimumOffset + part * 16);
}

internal readonly unsafe struct Q6KBlocks<TBytes, TLanes> : IBlockFormat<TBytes, TLanes>
    where TBytes : struct, IByteLanes<TBytes, TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    public static QuantizedLayout Layout => QuantizedLayout.Q6K;

    public static int UnitBytes => Q6KLayout.UnitBytes;

    public static int HeaderBytes => Q6KLayout.HeaderBytes;

    public static int PartsPerBlock => 2;

    public static bool Biased => false;

    public static int OffsetBits => 5;

    public static bool HasMinimum => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Step(byte* unit, int block, int step)
    {
        byte* vectors = unit + block * Q6KLayout.BlockBytes;
        TBytes pairs = TBytes.ShiftRight(TBytes.Load(vectors + Q6KLayout.PairsOffset + step / 4 * 64), step % 4 * 2);
        TBytes high = TBytes.ShiftLeft(TBytes.And(pairs, TBytes.Fill(0x03030303)), 4);
        return TBytes.Or(Q4Blocks<TBytes, TLanes>.Nibbles(vectors, step), high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale(byte* header, byte* unit, int part) =>
        TLanes.Multiply(TLanes.LoadHalves((ushort*)header), TLanes.LoadSigned((sbyte*)(unit + Q6KLayout.ScaleOffset + part * 16)));

    public static TLanes Minimum(byte* header, byte* unit, int part) => TLanes.Zero;
}
