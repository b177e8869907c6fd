namespace InferenceServer.Models.Architectures;

/// <summary>Qwen3, dense (Yang et al. 2025): the Llama decoder with RMSNorm on each head of q and k, and biases only if the config says so.</summary>
internal static class Qwen3
{
    public static readonly Architecture Definition = new()
    {
        Name = "Qwen3ForCausalLM",
        DefaultHeadDim = 128, // Qwen3Config's: independent of the hidden size
        DefaultWindow = 4096,
        Build = context => new Llama(context, new DecoderTraits
        {
            QkNorm = true,
            QkvBias = context.Config.AttentionBias,
            OutputBias = context.Config.AttentionBias,
            WindowOfLayer = layer => Qwen2.WindowOfLayer(context.Config, layer),
        }),
    };
}
