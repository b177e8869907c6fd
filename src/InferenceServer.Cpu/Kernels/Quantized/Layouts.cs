namespace InferenceServer.Cpu.Kernels.Quantized;

// Groups of 16 rows. A vector is 64 bytes: 16 rows x 4 columns, row r at bytes 4r to 4r + 3, so that one broadcast of four input bytes meets
// sixteen rows and no horizontal sum is ever needed. A unit holds 64 columns (two blocks of 32) and is a whole number of cache lines.
// Padding columns have scale 0.

/// <summary>(2 blocks x 8 vectors of bytes + 128), then 2 x 16 f16 scales.</summary>
internal static class Q8Layout
{
    public const int ScaleOffset = 1024;
    public const int UnitBytes = 1088;
}

/// <summary>(2 blocks x 4 vectors of nibbles: low ones are columns 4v of the block, high ones 16 + 4v), then 2 x 16 f16 scales.</summary>
internal static class Q4Layout
{
    public const int ScaleOffset = 512;
    public const int UnitBytes = 576;
}

/// <summary>
/// For 256 columns a header of 16 f16 d and 16 f16 dmin, then four units: nibbles as <see cref="Q4Layout"/>, 2 x 16 scale bytes, 2 x 16 minimum bytes.
/// </summary>
internal static class Q4KLayout
{
    public const int HeaderBytes = 64;
    public const int ScaleOffset = 512;
    public const int MinimumOffset = ScaleOffset + 32;
    public const int UnitBytes = 576;
    public const int SuperBytes = HeaderBytes + 4 * UnitBytes;
}

/// <summary>As <see cref="Q4KLayout"/>, with a vector of fifth bits for each block: bit s of a byte belongs to column 4s + its place in the row's word.</summary>
internal static class Q5KLayout
{
    public const int HeaderBytes = 64;
    public const int FifthOffset = 512;
    public const int ScaleOffset = 640;
    public const int MinimumOffset = ScaleOffset + 32;
    public const int UnitBytes = 704;
    public const int SuperBytes = HeaderBytes + 4 * UnitBytes;
}

/// <summary>
/// For 256 columns a header of 16 f16 d (and as much padding), then four units: per block four vectors of low nibbles and two of bit pairs
/// (the first half's and the second half's; pair s of a byte belongs to column 4s of the half), then 4 x 16 signed scales, one for 16 columns.
/// </summary>
internal static class Q6KLayout
{
    public const int HeaderBytes = 64;
    public const int PairsOffset = 256;
    public const int BlockBytes = 384;
    public const int ScaleOffset = 2 * BlockBytes;
    public const int UnitBytes = ScaleOffset + 64;
    public const int SuperBytes = HeaderBytes + 4 * UnitBytes;
}
