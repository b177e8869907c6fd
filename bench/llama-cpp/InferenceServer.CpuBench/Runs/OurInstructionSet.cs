namespace InferenceServer.CpuBench.Runs;

/// <summary>What our side may use of the processor, by what it is told of it: the runtime and our own detection then see no more.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Environment">Of a process of our side.</param>
internal sealed record OurInstructionSet(string Name, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Everything it has.</summary>
    public static OurInstructionSet Native { get; } = new("native", new Dictionary<string, string>());

    /// <summary>As on a processor without AVX-512.</summary>
    public static OurInstructionSet Avx2 { get; } = new("avx2", new Dictionary<string, string> { ["DOTNET_EnableAVX512"] = "0" });

    public static IReadOnlyList<OurInstructionSet> All { get; } = [Native, Avx2];

    /// <exception cref="BenchException">No set of that name.</exception>
    public static OurInstructionSet Find(string name) => All.FirstOrDefault(s => s.Name == name)
        ?? throw new BenchException($"'{name}' is no instruction set of this bench; choose among {string.Join(", ", All.Select(s => s.Name))}.");
}
