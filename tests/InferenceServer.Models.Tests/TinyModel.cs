using System.Text.Json.Nodes;

namespace InferenceServer.Models.Tests;

/// <summary>
/// A random model of three layers, small enough for plain loops, whose head size is not hidden / heads, as a folder on the disk.
/// Weights are large enough that every part of the formula shows in the logits.
/// </summary>
internal sealed class TinyModel
{
    public const int Hidden = 24, Heads = 4, KvHeads = 2, HeadDim = 8, Intermediate = 40, Layers = 3, Vocabulary = 50, Positions = 32;

    private readonly Random _random = new(7);

    public TinyModel(string architecture, bool qkvBias = false, bool outputBias = false, bool qkNorm = false, bool tied = false)
    {
        Config = new JsonObject
        {
            ["architectures"] = new JsonArray(architecture),
            ["hidden_size"] = Hidden,
            ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KvHeads,
            ["head_dim"] = HeadDim,
            ["intermediate_size"] = Intermediate,
            ["num_hidden_layers"] = Layers,
            ["vocab_size"] = Vocabulary,
            ["max_position_embeddings"] = Positions,
            ["rms_norm_eps"] = 1e-5,
            ["rope_theta"] = 100.0,
            ["tie_word_embeddings"] = tied,
            ["hidden_act"] = "silu",
            ["bos_token_id"] = 1,
            ["eos_token_id"] = 2,
        };
        Add("model.embed_tokens.weight", 1, Vocabulary, Hidden);
        for (int i = 0; i < Layers; i++) AddLayer($"model.layers.{i}.", qkvBias, outputBias, qkNorm);
        AddGain("model.norm.weight", Hidden);
        if (!tied) Add("lm_head.weight", 0.3f, Vocabulary, Hidden);
    }

    /// <summary>config.json.</summary>
    public JsonObject Config { get; }

    public Dictionary<string, TestTensor> Tensors { get; } = [];

    public void Write(string folder)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), Config.ToJsonString());
        TestSafetensors.Write(Path.Combine(folder, "model.safetensors"), Tensors);
    }

    private void AddLayer(string layer, bool qkvBias, bool outputBias, bool qkNorm)
    {
        AddGain(layer + "input_layernorm.weight", Hidden);
        AddGain(layer + "post_attention_layernorm.weight", Hidden);
        foreach ((string name, int rows) in new[] { ("q", Heads), ("k", KvHeads), ("v", KvHeads) })
        {
            Add($"{layer}self_attn.{name}_proj.weight", 0.4f, rows * HeadDim, Hidden);
            if (qkvBias) Add($"{layer}self_attn.{name}_proj.bias", 0.5f, rows * HeadDim);
            if (qkNorm && name != "v") AddGain($"{layer}self_attn.{name}_norm.weight", HeadDim);
        }

        Add(layer + "self_attn.o_proj.weight", 0.4f, Hidden, Heads * HeadDim);
        if (outputBias) Add(layer + "self_attn.o_proj.bias", 0.5f, Hidden);
        Add(layer + "mlp.gate_proj.weight", 0.3f, Intermediate, Hidden);
        Add(layer + "mlp.up_proj.weight", 0.3f, Intermediate, Hidden);
        Add(layer + "mlp.down_proj.weight", 0.3f, Hidden, Intermediate);
    }

    private void Add(string name, float scale, params int[] shape) => Add(name, _ => (_random.NextSingle() * 2 - 1) * scale, shape);

    private void AddGain(string name, int length) => Add(name, _ => 0.5f + _random.NextSingle(), length);

    private void Add(string name, Func<int, float> value, params int[] shape) =>
        Tensors[name] = new TestTensor(shape, [.. Enumerable.Range(0, shape.Aggregate((a, b) => a * b)).Select(value)]);
}
