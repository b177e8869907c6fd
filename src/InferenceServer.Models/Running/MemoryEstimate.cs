using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Running;

/// <summary>What a model needs, known before anything is loaded.</summary>
/// <param name="WeightBytes">Of all tensors: as stored, or as the backend that was asked keeps them.</param>
/// <param name="KvBytesPerToken">Keys and values of all layers.</param>
public sealed record MemoryEstimate(long WeightBytes, long KvBytesPerToken)
{
    internal static MemoryEstimate Of(ModelConfig config, long weightBytes, int kvElementBytes) =>
        new(weightBytes, 2L * config.Layers * config.KvHeads * config.HeadDim * kvElementBytes);
}
