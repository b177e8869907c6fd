using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using InferenceServer.CpuBench.Model;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>A Llama folder with a byte-level tokenizer as one GGUF file, the way llama.cpp's converter writes it: other names, q and k permuted, tokenizer as tables.</summary>
internal static class GgufConversion
{
    private const int Float32Code = 0, BFloat16Code = 30; // ggml's

    public static void Convert(string folder, string path)
    {
        JsonElement config = Json(folder, "config.json"), tokenizer = Json(folder, "tokenizer.json"), settings = Json(folder, "tokenizer_config.json");
        List<Stored> tensors = [.. Tensors(Path.Combine(folder, "model.safetensors")).Select(t => Converted(t, config))];
        using FileStream stream = File.Create(path);
        using GgufFileWriter writer = new(stream);
        List<Action> entries = [.. ModelEntries(writer, config), .. TokenizerEntries(writer, config, tokenizer, settings)];
        writer.WriteHeader(tensors.Count, entries.Count);
        foreach (Action entry in entries) entry();
        long offset = 0;
        foreach (Stored tensor in tensors)
        {
            writer.Tensor(tensor.Name, tensor.Rows, tensor.Columns, tensor.Code, offset);
            offset += (tensor.Data.Length + GgufFileWriter.Alignment - 1) / GgufFileWriter.Alignment * GgufFileWriter.Alignment;
        }

        foreach (Stored tensor in tensors)
        {
            writer.Align();
            stream.Write(tensor.Data);
        }

        writer.Align();
    }

    private static IEnumerable<Action> ModelEntries(GgufFileWriter writer, JsonElement config)
    {
        yield return () => writer.Entry("general.architecture", "llama");
        foreach ((string key, string field) in new[]
        {
            ("block_count", "num_hidden_layers"), ("context_length", "max_position_embeddings"), ("embedding_length", "hidden_size"),
            ("feed_forward_length", "intermediate_size"), ("attention.head_count", "num_attention_heads"), ("attention.head_count_kv", "num_key_value_heads"),
            ("attention.key_length", "head_dim"), ("attention.value_length", "head_dim"), ("rope.dimension_count", "head_dim"), ("vocab_size", "vocab_size"),
        })
            yield return () => writer.Entry("llama." + key, config.GetProperty(field).GetUInt32());
        yield return () => writer.Entry("llama.attention.layer_norm_rms_epsilon", config.GetProperty("rms_norm_eps").GetSingle());
        yield return () => writer.Entry("llama.rope.freq_base", config.GetProperty("rope_theta").GetSingle());
        yield return () => writer.Entry("general.sampling.temp", 0f);
    }

    private static IEnumerable<Action> TokenizerEntries(GgufFileWriter writer, JsonElement config, JsonElement tokenizer, JsonElement settings)
    {
        string[] tokens = new string[config.GetProperty("vocab_size").GetInt32()];
        int[] types = [.. tokens.Select(_ => 1)];
        foreach (JsonProperty token in tokenizer.GetProperty("model").GetProperty("vocab").EnumerateObject()) tokens[token.Value.GetInt32()] = token.Name;
        foreach (JsonElement added in tokenizer.GetProperty("added_tokens").EnumerateArray())
        {
            tokens[added.GetProperty("id").GetInt32()] = added.GetProperty("content").GetString()!;
            types[added.GetProperty("id").GetInt32()] = 3; // control
        }

        string[] merges = [.. tokenizer.GetProperty("model").GetProperty("merges").EnumerateArray().Select(m => m.ValueKind == JsonValueKind.Array ? $"{m[0]} {m[1]}" : m.GetString()!)];
        yield return () => writer.Entry("tokenizer.ggml.model", "gpt2");
        yield return () => writer.Entry("tokenizer.ggml.pre", "llama-bpe");
        yield return () => writer.Entry("tokenizer.ggml.tokens", tokens);
        yield return () => writer.Entry("tokenizer.ggml.token_type", types);
        yield return () => writer.Entry("tokenizer.ggml.merges", merges);
        yield return () => writer.Entry("tokenizer.ggml.bos_token_id", config.GetProperty("bos_token_id").GetUInt32());
        yield return () => writer.Entry("tokenizer.ggml.eos_token_id", config.GetProperty("eos_token_id")[0].GetUInt32());
        yield return () => writer.Entry("tokenizer.ggml.add_bos_token", true);
        yield return () => writer.Entry("tokenizer.chat_template", settings.GetProperty("chat_template").GetString()!);
    }

    private static Stored Converted(Stored tensor, JsonElement config)
    {
        string[] parts = tensor.Name.Split('.');
        if (parts[1] != "layers")
            return tensor with { Name = tensor.Name switch { "model.embed_tokens.weight" => "token_embd.weight", "model.norm.weight" => "output_norm.weight", _ => "output.weight" } };
        string name = parts[^2] switch
        {
            "input_layernorm" => "attn_norm",
            "post_attention_layernorm" => "ffn_norm",
            "o_proj" => "attn_output",
            "q_proj" or "k_proj" or "v_proj" => "attn_" + parts[^2][0],
            string mlp => "ffn_" + mlp.Split('_')[0],
        };
        tensor = tensor with { Name = $"blk.{parts[2]}.{name}.weight" };
        return name is "attn_q" or "attn_k" ? tensor with { Data = Permuted(tensor, config.GetProperty("head_dim").GetInt32()) } : tensor;
    }

    /// <summary>(heads, 2, half) rows to (heads, half, 2).</summary>
    private static byte[] Permuted(Stored tensor, int headDim)
    {
        int rowBytes = tensor.Data.Length / tensor.Rows, half = headDim / 2;
        byte[] permuted = new byte[tensor.Data.Length];
        for (int row = 0; row < tensor.Rows; row++)
        {
            int head = row / headDim, part = row % headDim / half, i = row % half;
            tensor.Data.AsSpan(row * rowBytes, rowBytes).CopyTo(permuted.AsSpan(((head * half + i) * 2 + part) * rowBytes));
        }

        return permuted;
    }

    private static IEnumerable<Stored> Tensors(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        foreach (JsonProperty tensor in JsonDocument.Parse(file.AsMemory(8, header)).RootElement.EnumerateObject().Where(t => t.Name != "__metadata__"))
        {
            int[] shape = [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt32())];
            int begin = tensor.Value.GetProperty("data_offsets")[0].GetInt32(), end = tensor.Value.GetProperty("data_offsets")[1].GetInt32();
            int code = tensor.Value.GetProperty("dtype").GetString() == "F32" ? Float32Code : BFloat16Code;
            yield return new Stored(tensor.Name, shape.Length == 1 ? 1 : shape[0], shape[^1], code, file[(8 + header + begin)..(8 + header + end)]);
        }
    }

    private static JsonElement Json(string folder, string name) => JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, name), Encoding.UTF8)).RootElement;

    private sealed record Stored(string Name, int Rows, int Columns, int Code, byte[] Data);
}
