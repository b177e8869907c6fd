using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>
/// Some columns of a group of 16 weight rows, unpacked for matrix tiles: for each block of 32 columns eight vectors of signed bytes, sixteen f32 scales
/// and as many minimums. Small enough to stay in the first-level cache while all tokens pass over it.
/// </summary>
internal static class TilePanel
{
    public const int ScaleOffset = 512;
    public const int MinimumOffset = ScaleOffset + 64;
    public const int BlockBytes = MinimumOffset + 64;

    /// <summary>Units of 64 columns.</summary>
    public const int Units = 16;

    public const int Bytes = 2 * Units * BlockBytes;
}

/// <summary>Fills a panel from a format whose blocks of 32 have one scale.</summary>
internal static unsafe class TilePanel<TFormat>
    where TFormat : struct, IBlockFormat<BytesAvx512, LanesAvx512>
{
    /// <summary>Bytes that 64 columns of a group take on average: a header belongs to 256.</summary>
    public static int UnitBytes => TFormat.UnitBytes + TFormat.HeaderBytes / 4;

    /// <param name="group">16 packed rows.</param>
    /// <param name="firstUnit">Of 64 columns.</param>
    /// <param name="units">At most <see cref="TilePanel.Units"/>.</param>
    /// <param name="panel"><see cref="TilePanel.Bytes"/> bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Fill(byte* group, int firstUnit, int units, byte* panel)
    {
        BytesAvx512 offset = BytesAvx512.Fill((TFormat.Biased ? 128 : TFormat.OffsetBits > 0 ? 1 << TFormat.OffsetBits : 0) * 0x01010101);
        for (int i = firstUnit; i < firstUnit + units; i++)
        {
            byte* header = TFormat.HeaderBytes == 0 ? group : group + i / 4 * (TFormat.HeaderBytes + 4L * TFormat.UnitBytes);
            byte* unit = TFormat.HeaderBytes == 0 ? group + (long)i * TFormat.UnitBytes : header + TFormat.HeaderBytes + i % 4 * TFormat.UnitBytes;
            for (int block = 0; block < 2; block++, panel += TilePanel.BlockBytes)
            {
                // Written out: only constant steps become constant shifts.
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 0), offset, panel);
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 1), offset, panel + 64);
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 2), offset, panel + 128);
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 3), offset, panel + 192);
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 4), offset, panel + 256);
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 5), offset, panel + 320);
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 6), offset, panel + 384);
                BytesAvx512.StoreLess(TFormat.Step(unit, block, 7), offset, panel + 448);
                LanesAvx512.Store(TFormat.Scale(header, unit, block), (float*)(panel + TilePanel.ScaleOffset));
                if (TFormat.HasMinimum) LanesAvx512.Store(TFormat.Minimum(header, unit, block), (float*)(panel + TilePanel.MinimumOffset));
            }
        }
    }
}
