using System.Diagnostics;

namespace InferenceServer.Engine.Scheduling;

/// <summary>The steps that were launched and not yet awaited, in that order: a ring over as many as the runner takes. Owned by the engine thread.</summary>
internal sealed class Flight
{
    private readonly StepInFlight[] _steps;
    private int _oldest;

    /// <param name="capacity">Steps the runner takes before the oldest is awaited.</param>
    /// <param name="maxTokens">In one step.</param>
    /// <param name="maxSequences">In one step.</param>
    /// <param name="maxRows">In one step.</param>
    public Flight(int capacity, int maxTokens, int maxSequences, int maxRows)
    {
        _steps = new StepInFlight[capacity];
        for (int i = 0; i < capacity; i++) _steps[i] = new StepInFlight(maxTokens, maxSequences, maxRows);
    }

    public int Count { get; private set; }

    public bool IsFull => Count == _steps.Length;

    /// <summary>By order of launch.</summary>
    public StepInFlight this[int index]
    {
        get
        {
            Debug.Assert((uint)index < (uint)Count, "Only what is in flight has a place.");
            return _steps[(_oldest + index) % _steps.Length];
        }
    }

    /// <summary>The one to fill and launch next.</summary>
    public StepInFlight Next
    {
        get
        {
            Debug.Assert(!IsFull, "Await the oldest first.");
            return _steps[(_oldest + Count) % _steps.Length];
        }
    }

    /// <summary><see cref="Next"/> was launched.</summary>
    public void Add()
    {
        Debug.Assert(!IsFull, "Await the oldest first.");
        Count++;
    }

    /// <summary>The oldest was awaited; stays as it is until the next plan.</summary>
    public StepInFlight Take()
    {
        StepInFlight step = this[0];
        _oldest = (_oldest + 1) % _steps.Length;
        Count--;
        return step;
    }

    /// <summary>Nobody will await them.</summary>
    public void Abandon() => Count = 0;
}
