using System.Text.Json.Nodes;
using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Tests.Gguf;

/// <summary>A <see cref="TinyModel"/> as the GGUF file that llama.cpp's converter would write: other names, other keys, and q and k permuted for "llama".</summary>
internal static class TestConversion
{
    public static TestGguf Convert(TinyModel model, bool permute = true)
    {
        JsonObject config = model.Config;
        string architecture = config["architectures"]![0]!.GetValue<string>() switch
        {
            "Qwen2ForCausalLM" => "qwen2",
            "Qwen3ForCausalLM" => "qwen3",
            _ => "llama",
        };
        TestGguf gguf = new TestGguf()
            .Set("general.architecture", architecture)
            .Set("general.name", "tiny")
            .Set($"{architecture}.block_count", (uint)TinyModel.Layers)
            .Set($"{architecture}.context_length", (uint)TinyModel.Positions)
            .Set($"{architecture}.embedding_length", (uint)TinyModel.Hidden)
            .Set($"{architecture}.feed_forward_length", (uint)TinyModel.Intermediate)
            .Set($"{architecture}.attention.head_count", (uint)TinyModel.Heads)
            .Set($"{architecture}.attention.head_count_kv", (uint)TinyModel.KvHeads)
            .Set($"{architecture}.attention.key_length", (uint)TinyModel.HeadDim)
            .Set($"{architecture}.attention.value_length", (uint)TinyModel.HeadDim)
            .Set($"{architecture}.attention.layer_norm_rms_epsilon", (float)config["rms_norm_eps"]!.GetValue<double>())
            .Set($"{architecture}.rope.freq_base", (float)config["rope_theta"]!.GetValue<double>())
            .Set($"{architecture}.rope.dimension_count", (uint)TinyModel.HeadDim)
            .Set("tokenizer.ggml.bos_token_id", 1u)
            .Set("tokenizer.ggml.eos_token_id", 2u);
        if (config["sliding_window"] is { } window) gguf.Set($"{architecture}.attention.sliding_window", (uint)window.GetValue<int>());
        if (config["rope_scaling"] is JsonObject rope) AddScaling(gguf, architecture, rope);
        foreach ((string name, TestTensor tensor) in model.Tensors)
        {
            bool rotates = name.Contains(".q_proj.", StringComparison.Ordinal) || name.Contains(".k_proj.", StringComparison.Ordinal);
            TestTensor stored = permute && rotates && architecture == "llama" ? Permuted(tensor) : tensor;
            gguf.Add(new TestGgufTensor(NameOf(name), [.. tensor.Shape], CodeOf(tensor.Type), TestSafetensors.Encode(stored)));
        }

        return gguf;
    }

    public static string NameOf(string name)
    {
        string[] parts = name.Split('.');
        return parts[1] != "layers" ? name switch
        {
            "model.embed_tokens.weight" => "token_embd.weight",
            "model.norm.weight" => "output_norm.weight",
            _ => "output.weight",
        }
        : $"blk.{parts[2]}." + string.Join('.', parts[3..^1]) switch
        {
            "input_layernorm" => "attn_norm",
            "post_attention_layernorm" => "ffn_norm",
            "self_attn.q_proj" => "attn_q",
            "self_attn.k_proj" => "attn_k",
            "self_attn.v_proj" => "attn_v",
            "self_attn.q_norm" => "attn_q_norm",
            "self_attn.k_norm" => "attn_k_norm",
            "self_attn.o_proj" => "attn_output",
            "mlp.gate_proj" => "ffn_gate",
            "mlp.up_proj" => "ffn_up",
            _ => "ffn_down",
        } + "." + parts[^1];
    }

    private static uint CodeOf(ElementType type) => type switch
    {
        ElementType.F32 => TestGguf.F32,
        ElementType.F16 => TestGguf.F16,
        _ => TestGguf.BF16,
    };

    /// <summary>(heads, 2, half, columns) to (heads, half, 2, columns).</summary>
    private static TestTensor Permuted(TestTensor tensor)
    {
        const int Half = TinyModel.HeadDim / 2;
        int columns = tensor.Shape.Length == 1 ? 1 : tensor.Shape[1];
        float[] values = new float[tensor.Values.Length];
        for (int head = 0; head < tensor.Shape[0] / TinyModel.HeadDim; head++)
            for (int part = 0; part < 2; part++)
                for (int i = 0; i < Half; i++)
                    Array.Copy(
                        tensor.Values, ((head * 2 + part) * Half + i) * columns,
                        values, ((head * Half + i) * 2 + part) * columns, columns);
        return tensor with { Values = values };
    }

    private static void AddScaling(TestGguf gguf, string architecture, JsonObject rope)
    {
        double factor = rope["factor"]!.GetValue<double>();
        if (rope["low_freq_factor"] is null)
        {
            gguf.Set($"{architecture}.rope.scaling.type", "linear").Set($"{architecture}.rope.scaling.factor", (float)factor);
            return;
        }

        double low = rope["low_freq_factor"]!.GetValue<double>(), high = rope["high_freq_factor"]!.GetValue<double>();
        int trained = rope["original_max_position_embeddings"]!.GetValue<int>();
        float[] factors = new float[TinyModel.HeadDim / 2];
        for (int i = 0; i < factors.Length; i++)
        {
            double wavelength = 2 * Math.PI * Math.Pow(100, 2.0 * i / TinyModel.HeadDim), smooth = (trained / wavelength - low) / (high - low);
            factors[i] = (float)(wavelength < trained / high ? 1 : wavelength > trained / low ? factor : 1 / ((1 - smooth) / factor + smooth));
        }

        gguf.Add(new TestGgufTensor("rope_freqs.weight", [factors.Length], TestGguf.F32, TestSafetensors.Encode(new TestTensor([factors.Length], factors))));
    }
}
