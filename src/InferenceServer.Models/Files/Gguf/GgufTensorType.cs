using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>The format's numbers for tensor types (enum ggml_type of https://github.com/ggml-org/ggml, ggml.h).</summary>
internal static class GgufTensorType
{
    /// <exception cref="ModelLoadException">Not one that is read.</exception>
    public static ElementType ToElementType(uint code, string path, string tensor) => code switch
    {
        0 => ElementType.F32,
        1 => ElementType.F16,
        2 => ElementType.Q4,
        8 => ElementType.Q8,
        12 => ElementType.Q4K,
        13 => ElementType.Q5K,
        14 => ElementType.Q6K,
        30 => ElementType.BF16,
        _ => throw new ModelLoadException(
            $"'{path}': tensor '{tensor}' is of type {Name(code)}; F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K and Q6_K are read. Use the model in one of these."),
    };

    /// <summary>As tools print it.</summary>
    public static string Name(ElementType type) => type switch
    {
        ElementType.Q8 => "Q8_0",
        ElementType.Q4 => "Q4_0",
        ElementType.Q4K => "Q4_K",
        ElementType.Q5K => "Q5_K",
        ElementType.Q6K => "Q6_K",
        _ => type.ToString(),
    };

    private static string Name(uint code) => code switch
    {
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        _ => $"number {code}, which is not known",
    };
}
