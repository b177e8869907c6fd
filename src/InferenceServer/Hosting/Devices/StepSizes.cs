using InferenceServer.Models.Running;
using InferenceServer.Options;

namespace InferenceServer.Hosting.Devices;

/// <summary>What every device takes from the options alike: how large a step may be.</summary>
internal static class StepSizes
{
    /// <param name="tokensPerStep">The device's own choice; not below the sequences that run, for each needs a token of each step.</param>
    public static RunnerOptions Of(ServerOptions options, int tokensPerStep) => new()
    {
        BlockSize = options.Kv.BlockSize,
        MaxTokensPerStep = options.Scheduler.TokensPerStep ?? Math.Max(tokensPerStep, options.Scheduler.MaxRunning),
        MaxSequencesPerStep = options.Scheduler.MaxRunning,
        MaxRowsPerStep = options.Scheduler.MaxRunning,
        ContextLength = options.Model.ContextLength,
    };
}
