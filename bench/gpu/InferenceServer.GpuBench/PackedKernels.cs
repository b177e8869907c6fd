using InferenceServer.Cuda.Driver;

namespace InferenceServer.GpuBench;

/// <summary>The PTX that was embedded at build: the engine's kernels, and this program's own for the probes.</summary>
internal static class PackedKernels
{
    public static KernelSource Probe { get; } = KernelSource.FromResources(typeof(PackedKernels).Assembly);

    /// <summary>FOLDER/arch/family.ptx, for ptxas.</summary>
    public static void Write(string folder)
    {
        foreach (KernelSource source in (ReadOnlySpan<KernelSource>)[KernelSource.Embedded, Probe])
            foreach (string arch in source.Archs)
            {
                Directory.CreateDirectory(Path.Combine(folder, arch));
                foreach (string family in source.Families(arch)) File.WriteAllBytes(Path.Combine(folder, arch, family + ".ptx"), source.Ptx(arch, family));
            }
    }
}
