using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Tests.Mutations;

/// <summary>A bug planted in a kernel source, and the kernel test that must see it.</summary>
/// <param name="Family">Whose source is compiled, e.g. gemm.</param>
/// <param name="Name">The bug in a few words.</param>
/// <param name="Find">Occurs once in the source.</param>
/// <param name="Check">The kernel test, given kernels; passes with those that ship.</param>
internal sealed record Mutation(string Family, string Name, string Find, string Replace, Action<KernelSource> Check)
{
    /// <summary>Where the bug is planted, if not in the family's own source.</summary>
    public string File { get; init; } = $"{Family}.cu";

    /// <summary>To compile few of a family's many kernels: what stands for the list of them, from the first line that begins so. Null: all.</summary>
    public (string FromLine, string Text)? Kernels { get; init; }

    /// <summary>Why an interpreter may not see it. Null: it must be caught.</summary>
    public string? Elusive { get; init; }
}
