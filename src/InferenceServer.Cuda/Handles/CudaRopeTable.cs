using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Handles;

/// <summary>(positions, rotaryDim / 2) cosines and as many sines on the device, F32.</summary>
internal sealed class CudaRopeTable(int positions, int rotaryDim, ulong cosines, ulong sines) : RopeTable(positions, rotaryDim)
{
    public ulong Cosines { get; } = cosines;

    public ulong Sines { get; } = sines;
}
