using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Kernels;

/// <summary>Some groups of 16 weight rows times some tokens. Strides in bytes but the output's, which is in floats.</summary>
internal unsafe struct LinearTile
{
    public byte* Weights;

    /// <summary>Bytes from one group to the next.</summary>
    public nint GroupStride;

    public int Groups;

    /// <summary>(Rows, Columns) in the format's <see cref="InputForm"/>.</summary>
    public byte* Input;

    /// <summary>Of one token; of sixteen in the forms for tiles.</summary>
    public nint InputStride;

    /// <summary>Tokens.</summary>
    public int Rows;

    public int Columns;

    /// <summary>(Rows, Groups * 16)</summary>
    public float* Output;

    /// <summary>Floats.</summary>
    public nint OutputStride;
}

/// <summary>
/// One weight format on one instruction set: how 16 rows lie in memory and how they are multiplied. Immutable and thread-safe.
/// To add one: a subclass with a layout of its own, a line in <see cref="KernelTable"/>, a plain twin in the tests.
/// </summary>
internal abstract unsafe class WeightFormat
{
    /// <summary>
    /// Of all layouts, packers and conversions together. Raise it when any of them gives other bytes than before: caches of repacked weights are keyed by it,
    /// and would be taken for good. <c>LayoutVersionTests</c> fails when that was forgotten.
    /// </summary>
    public const int LayoutVersion = 1;

    public abstract ElementType Type { get; }

    /// <summary>Names where the numbers of a group lie: two formats of one type with the same name have the same bytes.</summary>
    public abstract string Layout { get; }

    /// <summary>What this many tokens are to be prepared as.</summary>
    public abstract InputForm InputFor(int tokens);

    /// <summary>Groups that a thread had best claim at once when tokens are many.</summary>
    public virtual int GroupsOfManyTokens => 1;

    /// <summary>Bytes of 16 rows.</summary>
    public abstract long GroupBytes(int columns);

    /// <summary>Sixteen stored rows to a group.</summary>
    /// <param name="rows">Of <see cref="Type"/>; null is padding and becomes zeros.</param>
    /// <param name="columns">A whole number of blocks.</param>
    /// <param name="group"><see cref="GroupBytes"/> bytes, all written.</param>
    public abstract void Pack(byte** rows, int columns, byte* group);

    /// <summary>One row of a group as f32.</summary>
    public abstract void Unpack(byte* group, int row, int columns, float* output);

    /// <param name="tile">What times what.</param>
    /// <param name="scratch"><see cref="Ops.LinearLayer.PanelFloats"/> of the calling thread's own.</param>
    public abstract void Multiply(in LinearTile tile, float* scratch);
}
