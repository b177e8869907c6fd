using InferenceServer.Core.Compute;
using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Architectures;

/// <summary>One layer's weights. Matrices are (outputs, inputs).</summary>
internal sealed record DecoderLayer
{
    public required WeightVector InputNorm { get; init; }

    /// <summary>(QkvColumns, hidden): q over k over v, so that one pass over the input serves all three.</summary>
    public required Matrix Qkv { get; init; }

    public WeightVector? QkvBias { get; init; }

    public QkNorm? QkNorm { get; init; }

    /// <summary>(hidden, QueryColumns)</summary>
    public required Matrix Output { get; init; }

    public WeightVector? OutputBias { get; init; }

    public required WeightVector PostNorm { get; init; }

    /// <summary>(2 * intermediate, hidden): gate over up.</summary>
    public required Matrix GateUp { get; init; }

    /// <summary>(hidden, intermediate)</summary>
    public required Matrix Down { get; init; }

    public required AttentionShape Attention { get; init; }

    public static DecoderLayer Load(WeightLoader weights, ModelConfig config, DecoderTraits traits, int index)
    {
        string layer = $"model.layers.{index}.", attention = layer + "self_attn.", mlp = layer + "mlp.";
        AttentionShape shape = new(
            config.Heads, config.KvHeads, config.HeadDim, 1 / MathF.Sqrt(config.HeadDim), traits.WindowOfLayer(index));
        int hidden = config.HiddenSize, query = shape.QueryColumns, kv = shape.KvColumns;
        return new DecoderLayer
        {
            Attention = shape,
            InputNorm = weights.Vector((layer + "input_layernorm.weight", hidden)),
            Qkv = weights.Matrix(hidden, (attention + "q_proj.weight", query), (attention + "k_proj.weight", kv), (attention + "v_proj.weight", kv)),
            QkvBias = traits.QkvBias
                ? weights.Vector((attention + "q_proj.bias", query), (attention + "k_proj.bias", kv), (attention + "v_proj.bias", kv))
                : null,
            QkNorm = traits.QkNorm
                ? new QkNorm(
                    weights.Vector((attention + "q_norm.weight", config.HeadDim)),
                    weights.Vector((attention + "k_norm.weight", config.HeadDim)),
                    config.NormEpsilon)
                : null,
            Output = weights.Matrix(query, (attention + "o_proj.weight", hidden)),
            OutputBias = traits.OutputBias ? weights.Vector((attention + "o_proj.bias", hidden)) : null,
            PostNorm = weights.Vector((layer + "post_attention_layernorm.weight", hidden)),
            GateUp = weights.Matrix(MatrixUse.GateUp, hidden, (mlp + "gate_proj.weight", config.IntermediateSize), (mlp + "up_proj.weight", config.IntermediateSize)),
            Down = weights.Matrix(config.IntermediateSize, (mlp + "down_proj.weight", hidden)),
        };
    }
}
