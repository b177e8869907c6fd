namespace InferenceServer.Models.Architectures;

/// <summary>One architecture that can be served: its name in config.json, what its config class defaults to, and how it is built.</summary>
internal sealed record Architecture
{
    /// <summary>Hugging Face's class name.</summary>
    public required string Name { get; init; }

    public required Func<LoadContext, ITransformer> Build { get; init; }

    /// <summary>head_dim where config.json is silent; null: hidden_size / num_attention_heads.</summary>
    public int? DefaultHeadDim { get; init; }

    /// <summary>sliding_window where config.json is silent (null in it means none).</summary>
    public int DefaultWindow { get; init; }
}
