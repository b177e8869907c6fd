namespace InferenceServer.Core.Stepping;

/// <summary>What the engine must know of a model and its memory.</summary>
public sealed record RunnerLimits
{
    public required int VocabularySize { get; init; }

    /// <summary>Prompt plus completion, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Tokens a block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Blocks in the KV pool.</summary>
    public required int BlockCount { get; init; }

    public required int MaxTokensPerStep { get; init; }

    public required int MaxSequencesPerStep { get; init; }

    /// <summary>Logits rows in one step: at least MaxSequencesPerStep.</summary>
    public required int MaxRowsPerStep { get; init; }
}

/// <summary>
/// A model on a device, as the engine sees it: sequences of ints in, chosen tokens out. One step at a time, one thread (the engine's).
/// To add one: fill <see cref="Limits"/>; honour copies first, then store keys and values at the plan's slots, then answer every row.
/// An exception from either method is the device's fault and marks the engine unhealthy; a bad row sets its Failed flag instead.
/// </summary>
public interface IModelRunner : IDisposable
{
    RunnerLimits Limits { get; }

    /// <summary>Starts a step; may return before it is done. The plan stays untouched until <see cref="Await"/> returns.</summary>
    void Launch(StepPlan plan);

    /// <summary>Waits for the launched step and fills one result a row.</summary>
    void Await(StepResult result);
}
