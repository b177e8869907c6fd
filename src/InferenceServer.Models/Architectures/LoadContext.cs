using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Architectures;

/// <summary>What an architecture is built from.</summary>
internal sealed record LoadContext(IComputeBackend Backend, ModelConfig Config, RunnerLimits Limits, KvCache Cache, WeightLoader Weights);
