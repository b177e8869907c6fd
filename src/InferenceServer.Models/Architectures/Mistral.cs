namespace InferenceServer.Models.Architectures;

/// <summary>Mistral 7B (Jiang et al. 2023): the Llama decoder with a sliding window in every layer; from v0.2 on the window is null.</summary>
internal static class Mistral
{
    public static readonly Architecture Definition = new()
    {
        Name = "MistralForCausalLM",
        DefaultWindow = 4096, // MistralConfig's
        Build = context => new Llama(context, new DecoderTraits { WindowOfLayer = _ => context.Config.SlidingWindow }),
    };
}
