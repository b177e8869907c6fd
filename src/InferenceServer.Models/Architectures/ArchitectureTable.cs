namespace InferenceServer.Models.Architectures;

/// <summary>
/// Which architectures can be served. To add an architecture:
/// 1. Is it the Llama decoder with differences? Write a file like Qwen3.cs: the differences as <see cref="DecoderTraits"/>.
///    Does its layer differ? Write a file like Llama.cs: an <see cref="ITransformer"/> over the ops of IComputeBackend.
/// 2. Read the config fields it needs in ConfigReader, validated, and refuse values that would be ignored.
/// 3. Add it to the list below.
/// 4. Test it like DecoderFamilyTests: random weights against a plain formula, and each difference must change the logits.
/// </summary>
internal static class ArchitectureTable
{
    private static readonly Architecture[] Known = [Llama.Definition, Mistral.Definition, Qwen2.Definition, Qwen3.Definition];

    public static IEnumerable<string> Names => Known.Select(a => a.Name);

    /// <param name="name">As in config.json.</param>
    /// <param name="path">Of config.json, for the error.</param>
    public static Architecture Find(string name, string path) =>
        Array.Find(Known, a => a.Name == name)
        ?? throw new ModelLoadException($"'{path}': architecture '{name}' is not known; expected one of {string.Join(", ", Names)}.");
}
