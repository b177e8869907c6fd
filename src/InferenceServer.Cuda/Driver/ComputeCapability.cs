namespace InferenceServer.Cuda.Driver;

/// <summary>A GPU generation: 8.0 is Ampere (A100), 9.0 Hopper (H100, H200).</summary>
internal readonly record struct ComputeCapability(int Major, int Minor) : IComparable<ComputeCapability>
{
    /// <summary>bf16 tensor cores and cp.async, which every kernel uses, came with it.</summary>
    public static readonly ComputeCapability Oldest = new(8, 0);

    /// <summary>Programmatic dependent launch came with it.</summary>
    public bool HasDependentLaunch => Major >= 9;

    /// <summary>The embedded kernels to use: sm_90a has features of 9.0 alone and loads nowhere else; sm_80 loads on everything newer.</summary>
    public string KernelArch => this == new ComputeCapability(9, 0) ? "sm_90a" : "sm_80";

    public int CompareTo(ComputeCapability other) => (Major, Minor).CompareTo((other.Major, other.Minor));

    public override string ToString() => $"{Major}.{Minor}";
}
