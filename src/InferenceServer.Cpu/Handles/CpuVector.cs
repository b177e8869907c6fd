using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Handles;

/// <summary>A gain or bias as f32, zero-padded to a multiple of 16.</summary>
internal sealed unsafe class CpuVector(int length, NativeBuffer buffer) : WeightVector(length)
{
    public float* Values => buffer.Floats;
}
