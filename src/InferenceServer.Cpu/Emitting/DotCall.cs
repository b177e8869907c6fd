using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Emitting;

/// <summary>What an emitted kernel reads: some groups of 16 weight rows times some tokens, all columns. Strides in bytes; emitted code knows the offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DotCall
{
    public const int WeightsOffset = 0;
    public const int GroupStrideOffset = 8;
    public const int InputOffset = 16;
    public const int InputStrideOffset = 24;
    public const int OutputOffset = 32;
    public const int OutputStrideOffset = 40;
    public const int UnitsOffset = 48;
    public const int ScratchOffset = 56;
    public const int AheadOffset = 64;

    public byte* Weights;

    public nint GroupStride;

    /// <summary>Prepared rows: see <see cref="Kernels.InputForm"/>.</summary>
    public byte* Input;

    public nint InputStride;

    /// <summary>First token's first output; 16 floats a group.</summary>
    public float* Output;

    public nint OutputStride;

    /// <summary>How often the format's loop runs.</summary>
    public nint Units;

    /// <summary>For kernels that need memory of their own: <see cref="ByteTileEmitter"/>. A cache line's multiple.</summary>
    public byte* Scratch;

    /// <summary>What will be read next, if the kernel is one that asks for it meanwhile.</summary>
    public byte* Ahead;
}
