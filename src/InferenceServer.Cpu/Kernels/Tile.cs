namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// One product for a kernel: Output[t][g * 16 + r] (+)= sum over k of weight[row r of group g][k] * Input[t][k].
/// Weights lie in groups of 16 rows, interleaved by 32-bit words: word w of row r stands at (w * 16 + r) of its group.
/// A word is one f32 or two 16-bit numbers (the even column low). The same shape describes keys (16 positions are the rows) and
/// values (16 columns are the rows, positions are k), so attention runs on the kernels of the linear layers.
/// </summary>
internal unsafe struct Tile
{
    /// <summary>Rows of weights side by side in one group, and so floats in one output vector of a kernel.</summary>
    public const int GroupRows = 16;

    /// <summary>Bytes from one word of a weight matrix to the next.</summary>
    public const int WordBytes = GroupRows * sizeof(uint);

    public byte* Weights;

    /// <summary>Bytes from one group to the next.</summary>
    public nint GroupStride;

    /// <summary>Bytes from one word of a group to the next: 64 in a weight matrix.</summary>
    public nint WordStride;

    public int Groups;

    /// <summary>(Rows, Columns) with InputStride floats a row.</summary>
    public float* Input;

    public nint InputStride;

    /// <summary>Tokens.</summary>
    public int Rows;

    /// <summary>k: how many products an output element sums.</summary>
    public int Columns;

    /// <summary>(Rows, Groups * 16) with OutputStride floats a row.</summary>
    public float* Output;

    public nint OutputStride;

    /// <summary>Continue the sums that Output holds instead of starting at 0: exact, since a float survives its store.</summary>
    public bool Accumulate;
}
