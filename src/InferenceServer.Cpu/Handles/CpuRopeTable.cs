using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Handles;

/// <summary>(positions, rotaryDim / 2) cosines, then as many sines.</summary>
internal sealed unsafe class CpuRopeTable(int positions, int rotaryDim, NativeBuffer buffer) : RopeTable(positions, rotaryDim)
{
    public float* Cosines(int position) => buffer.Floats + (long)position * (RotaryDim / 2);

    public float* Sines(int position) => buffer.Floats + ((long)Positions + position) * (RotaryDim / 2);
}
