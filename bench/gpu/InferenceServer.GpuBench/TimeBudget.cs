using System.Diagnostics;

namespace InferenceServer.GpuBench;

/// <summary>A machine is lent by the minute: what does not fit any more is recorded as not measured, in place of a program killed half-way.</summary>
internal sealed class TimeBudget(double seconds)
{
    private readonly long _started = Stopwatch.GetTimestamp();

    public double SecondsLeft => seconds - Stopwatch.GetElapsedTime(_started).TotalSeconds;

    /// <summary>Whether <paramref name="secondsNeeded"/> are left; if not, <paramref name="log"/> hears of it.</summary>
    public bool Allows(string what, ResultLog log, double secondsNeeded = 0)
    {
        if (SecondsLeft > secondsNeeded) return true;
        log.Missing(what, "out of time");
        return false;
    }
}
