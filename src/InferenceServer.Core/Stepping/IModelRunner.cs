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

    /// <summary>
    /// Steps that may be launched before the oldest is awaited: 1, or 2 on a device where the host plans a step while another runs.
    /// </summary>
    public int MaxStepsInFlight { get; init; } = 1;
}

/// <summary>
/// A model on a device, as the engine sees it: sequences of ints in, chosen tokens out. One thread (the engine's). Steps run in the order
/// in which they were launched, at most <see cref="RunnerLimits.MaxStepsInFlight"/> of them not yet awaited.
/// To add one: fill <see cref="Limits"/>; honour copies first, then store keys and values at the plan's slots, then answer every row.
/// An exception from either method is the device's fault and marks the engine unhealthy; a bad row sets its Failed flag instead.
/// After an exception nothing but Dispose is called, though steps may still be in flight; without one, none is when it is disposed.
/// </summary>
public interface IModelRunner : IDisposable
{
    RunnerLimits Limits { get; }

    /// <summary>Starts a step; may return before it is done. The plan stays untouched until the <see cref="Await"/> of this step returns.</summary>
    void Launch(StepPlan plan);

    /// <summary>Waits for the oldest step that was launched and not awaited, and fills one result a row.</summary>
    void Await(StepResult result);

    /// <summary>
    /// Whether the token that this row chooses can be an input of the next step before anybody has read it: a token id of ~r in a plan
    /// stands for the choice of row r of the step launched before it, or for any valid id where that row failed.
    /// Asked of Sample rows. A step whose rows are not all such ones is awaited before the next is launched, whoever would need its tokens.
    /// </summary>
    bool CanFeedBack(in LogitsRow row) => false;
}
