using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Architectures;

/// <summary>Qwen2 and Qwen2.5 (Yang et al. 2024): the Llama decoder with biases on q, k and v.</summary>
internal static class Qwen2
{
    public static readonly Architecture Definition = new()
    {
        Name = "Qwen2ForCausalLM",
        DefaultWindow = 4096, // Qwen2Config's; it applies only with use_sliding_window
        Build = context => new Llama(context, new DecoderTraits
        {
            QkvBias = true,
            WindowOfLayer = layer => WindowOfLayer(context.Config, layer),
        }),
    };

    private const int DefaultMaxWindowLayers = 28; // Qwen2Config's and Qwen3Config's

    /// <summary>Off unless use_sliding_window; then for the layers that layer_types names, or those from max_window_layers on.</summary>
    public static int WindowOfLayer(ModelConfig config, int layer)
    {
        if (config.UseSlidingWindow != true) return 0;
        bool slides = config.LayerTypes is { } types
            ? types[layer] == "sliding_attention"
            : layer >= (config.MaxWindowLayers ?? DefaultMaxWindowLayers);
        return slides ? config.SlidingWindow : 0;
    }
}
