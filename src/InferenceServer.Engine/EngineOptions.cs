using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine;

/// <summary>How the engine queues and batches. Bound from configuration, immutable after start.</summary>
public sealed record EngineOptions
{
    /// <summary>Requests that may wait for admission; the next one is refused. 1024 is vLLM's default backlog for one replica.</summary>
    public int MaxWaitingRequests { get; init; } = 1024;

    /// <summary>Tokens that may wait for their first computation, over all waiting requests. At least the model's context.</summary>
    public long MaxWaitingTokens { get; init; } = 1 << 20;

    /// <summary>Sequences (choices, not requests) that run at once; capped by what the runner takes in one step.</summary>
    public int MaxRunningSequences { get; init; } = 256;

    /// <summary>Tokens computed in one step: the price of a decode's delay by other people's prompts. Null: the runner's limit.</summary>
    public int? TokensPerStep { get; init; }

    /// <summary>
    /// How many times longer than its decodes alone a step may take by chunks of prompts beside them, as measured while running; 0: no limit.
    /// Bounds what a long prompt does to other streams' time between tokens; costs that prompt time to its first token. Where more requests wait for a first
    /// token than run, prompts may add up to four times as much.
    /// </summary>
    public double DecodeSlowdown { get; init; }

    /// <summary>Keep full blocks after their sequence ended, and share them under equal salts.</summary>
    public bool EnablePrefixCache { get; init; } = true;

    /// <summary>Where seeds of requests without one come from; null draws one from the system at start.</summary>
    public ulong? RandomSeed { get; init; }

    /// <summary>Every error at once, each a sentence with its mending; empty when all is well.</summary>
    public IReadOnlyList<string> Validate(RunnerLimits limits)
    {
        List<string> errors = [];
        if (MaxWaitingRequests < 1)
            errors.Add($"MaxWaitingRequests is {MaxWaitingRequests}, but every request waits at least until the next step: set 1 or more.");
        if (MaxWaitingTokens < limits.ContextLength)
            errors.Add($"MaxWaitingTokens is {MaxWaitingTokens}, less than the model's context of {limits.ContextLength} tokens, so the longest prompts could never wait: raise it to {limits.ContextLength} or more.");
        if (MaxRunningSequences < 1)
            errors.Add($"MaxRunningSequences is {MaxRunningSequences}, so nothing could run: set 1 or more.");
        if (TokensPerStep is < 1)
            errors.Add($"TokensPerStep is {TokensPerStep}, so no step could compute anything: set 1 or more, or leave it out for the runner's {limits.MaxTokensPerStep}.");
        if (DecodeSlowdown is not 0 and not (> 1 and <= 1000))
            errors.Add($"DecodeSlowdown is {DecodeSlowdown}, but a step with prompts takes longer than one without: set more than 1 and at most 1000, or 0 for no limit.");
        if (TokensPerStep > limits.MaxTokensPerStep)
            errors.Add($"TokensPerStep is {TokensPerStep}, more than the {limits.MaxTokensPerStep} that the runner takes in one step: lower it, or leave it out.");
        ValidateLimits(limits, errors);
        return errors;
    }

    private static void ValidateLimits(RunnerLimits limits, List<string> errors)
    {
        if (limits.BlockSize < 1 || limits.BlockCount < 1)
            errors.Add($"The runner offers {limits.BlockCount} blocks of {limits.BlockSize} tokens, which holds no sequence: give the KV pool more memory.");
        if (limits.VocabularySize < 1 || limits.ContextLength < 1)
            errors.Add($"The runner states a vocabulary of {limits.VocabularySize} and a context of {limits.ContextLength}; both must be positive.");
        if (limits.MaxStepsInFlight is not (1 or 2))
            errors.Add($"The runner takes {limits.MaxStepsInFlight} steps in flight; it must be 1, or 2 for a device on which tokens feed back.");
        if (limits.MaxTokensPerStep < 1 || limits.MaxSequencesPerStep < 1 || limits.MaxRowsPerStep < limits.MaxSequencesPerStep)
            errors.Add($"The runner takes {limits.MaxTokensPerStep} tokens, {limits.MaxSequencesPerStep} sequences and {limits.MaxRowsPerStep} rows a step; all must be positive, and rows at least the sequences.");
    }
}
