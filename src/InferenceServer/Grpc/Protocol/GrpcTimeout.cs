using System.Globalization;

namespace InferenceServer.Grpc.Protocol;

/// <summary>The grpc-timeout header: at most eight digits and a unit (grpc/grpc, doc/PROTOCOL-HTTP2.md).</summary>
internal static class GrpcTimeout
{
    private const int MaxDigits = 8;

    // Timers end at 49 days, and nobody waits for an answer for one.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    public static bool TryParse(string text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > MaxDigits + 1) return false;
        if (!long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return false;
        double ticksPerUnit = text[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => TimeSpan.TicksPerMicrosecond / 1000.0,
            _ => -1,
        };
        if (ticksPerUnit < 0) return false;
        timeout = TimeSpan.FromTicks((long)Math.Min(number * ticksPerUnit, Longest.Ticks));
        return true;
    }
}
