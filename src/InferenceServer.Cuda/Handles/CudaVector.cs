using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Handles;

/// <summary>A gain or a bias on the device, F32.</summary>
internal sealed class CudaVector(int length, ulong address) : WeightVector(length)
{
    public ulong Address { get; } = address;
}
