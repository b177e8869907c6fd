using System.Globalization;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>Names of a decoder's tensors: GGUF's against Hugging Face's, by which the architectures ask.</summary>
internal static class GgufTensorNames
{
    public const string RopeFactors = "rope_freqs.weight";

    public const string Embedding = "token_embd.weight";

    public const string Head = "output.weight";

    private const string LayerPrefix = "blk.", HuggingFaceLayerPrefix = "model.layers.";

    private static readonly Dictionary<string, string> Whole = new()
    {
        ["token_embd"] = "model.embed_tokens",
        ["output_norm"] = "model.norm",
        ["output"] = "lm_head",
    };

    private static readonly Dictionary<string, string> InLayer = new()
    {
        ["attn_norm"] = "input_layernorm",
        ["attn_q"] = "self_attn.q_proj",
        ["attn_k"] = "self_attn.k_proj",
        ["attn_v"] = "self_attn.v_proj",
        ["attn_q_norm"] = "self_attn.q_norm",
        ["attn_k_norm"] = "self_attn.k_norm",
        ["attn_output"] = "self_attn.o_proj",
        ["ffn_norm"] = "post_attention_layernorm",
        ["ffn_gate"] = "mlp.gate_proj",
        ["ffn_up"] = "mlp.up_proj",
        ["ffn_down"] = "mlp.down_proj",
    };

    private static readonly Dictionary<string, string> WholeBack = Whole.ToDictionary(pair => pair.Value, pair => pair.Key);
    private static readonly Dictionary<string, string> InLayerBack = InLayer.ToDictionary(pair => pair.Value, pair => pair.Key);

    /// <summary>blk.3.attn_q.weight to model.layers.3.self_attn.q_proj.weight; unknown names are kept.</summary>
    public static string ToHuggingFace(string name) => Translate(name, LayerPrefix, HuggingFaceLayerPrefix, Whole, InLayer);

    /// <summary>The way back.</summary>
    public static string ToGguf(string name) => Translate(name, HuggingFaceLayerPrefix, LayerPrefix, WholeBack, InLayerBack);

    private static string Translate(string name, string prefix, string newPrefix, Dictionary<string, string> whole, Dictionary<string, string> inLayer)
    {
        int end = name.LastIndexOf('.');
        if (end < 0) return name;
        string stem = name[..end], kind = name[end..]; // .weight or .bias
        if (whole.TryGetValue(stem, out string? translated)) return translated + kind;
        if (!stem.StartsWith(prefix, StringComparison.Ordinal)) return name;
        ReadOnlySpan<char> rest = stem.AsSpan(prefix.Length);
        int dot = rest.IndexOf('.');
        if (dot < 0 || !int.TryParse(rest[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out int layer)) return name;
        return inLayer.TryGetValue(rest[(dot + 1)..].ToString(), out translated)
            ? string.Create(CultureInfo.InvariantCulture, $"{newPrefix}{layer}.{translated}{kind}")
            : name;
    }
}
