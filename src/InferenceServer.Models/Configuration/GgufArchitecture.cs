using InferenceServer.Models.Files.Gguf;

namespace InferenceServer.Models.Configuration;

/// <summary>
/// general.architecture of a GGUF file. To add one: its name here, its class in ArchitectureTable, its tensors in GgufTensorNames, its keys in GgufConfigReader.
/// </summary>
internal static class GgufArchitecture
{
    private const string Key = "general.architecture";

    private static readonly string[] Known = ["llama", "qwen2", "qwen3"];

    /// <summary>The prefix of its keys.</summary>
    /// <exception cref="ModelLoadException">Not one that is served.</exception>
    public static string Read(GgufMetadata metadata) => metadata.Text(Key) is { } name && Known.Contains(name)
        ? name
        : throw metadata.Wrong(Key, $"one of {string.Join(", ", Known)} (Llama and Mistral models are \"llama\")");

    /// <summary>Are the rows of q and k stored in ggml's order of rotating pairs?</summary>
    public static bool IsPermuted(GgufMetadata metadata) => metadata.Text(Key) == "llama";

    /// <summary>Hugging Face's class name. "llama" is Mistral too, which differs in its window alone.</summary>
    public static string ClassName(string architecture, int window) => architecture switch
    {
        "llama" => window > 0 ? "MistralForCausalLM" : "LlamaForCausalLM",
        "qwen2" => "Qwen2ForCausalLM",
        _ => "Qwen3ForCausalLM",
    };
}
