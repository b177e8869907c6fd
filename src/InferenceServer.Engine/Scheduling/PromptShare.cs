namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// How many prompt tokens may go beside running decodes so that the step takes at most so many times what the decodes alone would take: else a long
/// prompt holds up every stream. Learns both costs from the steps themselves, since they depend on the model, the machine and the batch: what a step of
/// D decodes takes, and what one more prompt token adds. Owned by the engine thread; allocates nothing.
/// </summary>
/// <param name="slowdown">Above 1; 0: prompts may take whatever the step has room for.</param>
/// <param name="maxDecodes">Most sequences that can decode in one step.</param>
internal sealed class PromptShare(double slowdown, int maxDecodes)
{
    /// <summary>A prompt always moves, however slow its tokens are.</summary>
    public const int LeastTokens = 4;

    /// <summary>Before anything is known.</summary>
    public const int FirstTokens = 16;

    private const double Smoothing = 0.2; // about the last five steps of a kind

    private readonly double[] _decodeTime = new double[maxDecodes + 1]; // by number of decodes; 0: not seen yet
    private double _timePerPromptToken;

    /// <param name="decodes">Running sequences that take one token of the step.</param>
    /// <param name="room">Tokens that the step has left.</param>
    public int Limit(int decodes, int room)
    {
        if (slowdown == 0 || decodes == 0) return room;
        double alone = TimeOf(decodes);
        if (alone == 0 || _timePerPromptToken == 0) return Math.Min(room, FirstTokens);
        double tokens = (slowdown - 1) * alone / _timePerPromptToken;
        return tokens >= room ? room : Math.Min(room, Math.Max(LeastTokens, (int)tokens));
    }

    /// <summary>A step was done.</summary>
    /// <param name="decodes">Sequences that took one token.</param>
    /// <param name="promptTokens">Tokens of longer gaps.</param>
    /// <param name="time">In any unit, but always the same.</param>
    public void Observe(int decodes, int promptTokens, double time)
    {
        if (slowdown == 0 || time <= 0) return;
        if (promptTokens == 0)
        {
            if (decodes > 0) _decodeTime[decodes] = Smooth(_decodeTime[decodes], time);
            return;
        }

        double added = time - (decodes == 0 ? 0 : TimeOf(decodes));
        if (added > 0) _timePerPromptToken = Smooth(_timePerPromptToken, added / promptTokens);
    }

    /// <summary>Of so many decodes, or of the nearest number below that was seen, or above; 0 if none was.</summary>
    private double TimeOf(int decodes)
    {
        for (int i = decodes; i > 0; i--)
            if (_decodeTime[i] > 0) return _decodeTime[i];
        for (int i = decodes + 1; i <= maxDecodes; i++)
            if (_decodeTime[i] > 0) return _decodeTime[i];
        return 0;
    }

    private static double Smooth(double known, double seen) => known == 0 ? seen : known + Smoothing * (seen - known);
}
