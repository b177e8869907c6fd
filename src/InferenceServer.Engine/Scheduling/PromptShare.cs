namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// How many prompt tokens may go beside running decodes so that the step takes at most so many times what the decodes alone would take: else a long
/// prompt holds up every stream. Learns both costs from the steps themselves, since they depend on the model, the machine, the batch and how far the
/// prompt is: what a step of D decodes takes, and what a prompt token adds. Medians of the last few, since one step in a hundred takes five times as long
/// (page faults, a neighbour on the machine) and must not decide the next ones. Where more requests wait for their first token than run, prompts may take more,
/// in proportion: the few streams of a burst's beginning would hold up all the others. Owned by the engine thread; allocates nothing.
/// </summary>
/// <remarks>
/// While a prompt is computed no step shows what decodes alone take, though it changes as contexts grow. So every <see cref="AloneEvery"/>th step goes
/// without prompts, to look, which costs a prompt two percent of its time.
/// </remarks>
/// <param name="slowdown">Above 1; 0: prompts may take whatever the step has room for.</param>
/// <param name="maxDecodes">Most sequences that can decode in one step.</param>
internal sealed class PromptShare(double slowdown, int maxDecodes)
{
    /// <summary>A prompt always moves, however slow its tokens are: as many as surely share one reading of keys and values.</summary>
    public const int LeastTokens = 2;

    /// <summary>Before a prompt token's cost is known.</summary>
    public const int FirstTokens = 16;

    /// <summary>Steps from one without prompts to the next: under three seconds of steps that take 80 ms.</summary>
    public const int AloneEvery = 32;

    /// <summary>Steps without prompts before the first with them: a median of three, since the first one is cold.</summary>
    public const int AloneFirst = 3;

    /// <summary>How many times as much prompts may take at most, however many wait.</summary>
    public const int MostWeight = 4;

    private readonly RecentMedian[] _decodeTime = new RecentMedian[maxDecodes + 1]; // by number of decodes
    private RecentMedian _timePerPromptToken;
    private int _stepsBeside; // since one without prompts
    private int _stepsAlone; // ever, up to AloneFirst

    /// <summary>0 at first and once in a while: the step is to show what decodes take alone. With each step observed, a prompt waits for one of them at most, or at first for three.</summary>
    /// <param name="decodes">Running sequences that take one token of the step.</param>
    /// <param name="prompts">Sequences that wait for their first token: running ones, and those that a seat is free for.</param>
    /// <param name="room">Tokens that the step has left.</param>
    public int Limit(int decodes, int prompts, int room)
    {
        if (slowdown == 0 || decodes == 0) return room;
        if (_stepsAlone < AloneFirst || _stepsBeside >= AloneEvery - 1) return 0;
        if (_timePerPromptToken.Value == 0) return Math.Min(room, FirstTokens);
        double weight = Math.Clamp((double)prompts / decodes, 1, MostWeight);
        double tokens = (slowdown - 1) * weight * TimeOf(decodes) / _timePerPromptToken.Value;
        return tokens >= room ? room : Math.Min(room, Math.Max(LeastTokens, (int)tokens));
    }

    /// <summary>A step was done.</summary>
    /// <param name="decodes">Sequences that took one token.</param>
    /// <param name="promptTokens">Tokens of longer gaps.</param>
    /// <param name="time">In any unit, but always the same.</param>
    public void Observe(int decodes, int promptTokens, double time)
    {
        if (slowdown == 0 || time <= 0) return;
        _stepsBeside = decodes > 0 && promptTokens > 0 ? _stepsBeside + 1 : 0;
        if (promptTokens == 0)
        {
            if (decodes == 0) return;
            _decodeTime[decodes].Add(time);
            _stepsAlone = Math.Min(AloneFirst, _stepsAlone + 1);
            return;
        }

        double alone = decodes == 0 ? 0 : TimeOf(decodes), added = time - alone;
        if ((decodes == 0 || alone > 0) && added > 0) _timePerPromptToken.Add(added / promptTokens);
    }

    /// <summary>Of so many decodes, or of the nearest number below that was seen, or above; 0 if none was.</summary>
    private double TimeOf(int decodes)
    {
        for (int i = decodes; i > 0; i--)
            if (_decodeTime[i].Value is > 0 and double below) return below;
        for (int i = decodes + 1; i <= maxDecodes; i++)
            if (_decodeTime[i].Value is > 0 and double above) return above;
        return 0;
    }
}
