using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Tests.Kernels;
using Xunit.Sdk;

namespace InferenceServer.Cuda.Tests.Mutations;

/// <summary>Plants bugs one after the other and tells how each was caught.</summary>
internal static class MutationReport
{
    /// <summary>Fails if a bug that must be caught is missed, or if a check fails without any bug.</summary>
    public static void Check(IReadOnlyList<Mutation> mutations, ITestOutputHelper output)
    {
        Assert.SkipUnless(KernelSource.Embedded.Archs.Any() && KernelCompiler.IsPresent, "This build has no CUDA kernels: clang 19 was not found.");
        foreach (Mutation mutation in mutations.DistinctBy(m => m.Check)) mutation.Check(KernelSource.Embedded);

        string[] ptx = new string[mutations.Count];
        Parallel.For(0, ptx.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i => ptx[i] = KernelCompiler.Compile(mutations[i]));
        List<string> missed = [], lost = [];
        for (int i = 0; i < ptx.Length; i++)
        {
            Mutation mutation = mutations[i];
            string? how = How(mutation, new KernelSource().With(KernelCompiler.Arch, mutation.Family, ptx[i]));
            output.WriteLine($"{mutation.Family}: {mutation.Name}: {how ?? $"not caught{(mutation.Elusive is null ? "" : $" ({mutation.Elusive})")}"}");
            if (how is not null) continue;
            missed.Add($"{mutation.Family}: {mutation.Name}");
            if (mutation.Elusive is null) lost.Add(missed[^1]);
        }

        output.WriteLine($"{mutations.Count - missed.Count} of {mutations.Count} planted bugs were caught; missed: {(missed.Count == 0 ? "none" : string.Join("; ", missed))}");
        Assert.True(lost.Count == 0, $"planted bugs that no test saw: {string.Join("; ", lost)}");
    }

    private static string? How(Mutation mutation, KernelSource source)
    {
        try
        {
            mutation.Check(source);
            return null;
        }
        catch (Exception e) when (e is KernelFaultException or CudaException or CudaUnavailableException)
        {
            return $"fault: {e.Message.ReplaceLineEndings(" ")}";
        }
        catch (XunitException e)
        {
            return $"wrong result: {e.Message.Split('\n')[0]}";
        }
    }
}
