namespace InferenceServer.CpuBench.Runs;

/// <summary>One of the three figures, measured alike on both sides. Rates are tokens a second.</summary>
/// <param name="Name">As on the command line and in the files of runs.</param>
/// <param name="Title">As in the table.</param>
/// <param name="Sequences">That run at once.</param>
/// <param name="Prompt">Tokens of each sequence's prompt.</param>
/// <param name="Output">Tokens that are timed of each sequence; 0 times the prompt.</param>
internal sealed record BenchCase(string Name, string Title, int Sequences, int Prompt, int Output)
{
    public static BenchCase Decode1 { get; } = new("decode-1", "batch-1 decode", 1, 0, 128);

    public static BenchCase Decode16 { get; } = new("decode-16", "decode, 16 sequences", 16, 128, 64);

    public static BenchCase Prompt512 { get; } = new("prompt-512", "prompt of 512", 1, 512, 0);

    /// <summary>In the order of the table.</summary>
    public static IReadOnlyList<BenchCase> All { get; } = [Decode1, Decode16, Prompt512];

    /// <exception cref="BenchException">No case of that name.</exception>
    public static BenchCase Find(string name) => All.FirstOrDefault(c => c.Name == name)
        ?? throw new BenchException($"'{name}' is no case; choose among {string.Join(", ", All.Select(c => c.Name))}.");

    public override string ToString() => Name;
}
