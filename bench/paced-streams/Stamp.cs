using System.Buffers.Text;
using System.Globalization;

namespace InferenceServer.PacedStreams;

/// <summary>
/// The moment of a token's emission as its text: '@' and 16 hexadecimal digits of <see cref="System.Diagnostics.Stopwatch"/> ticks, which all
/// processes of a machine share. No other '@' occurs in a stream, so finding a stamp is one vectorised search.
/// </summary>
internal static class Stamp
{
    public const int Length = 17;

    private const byte Mark = (byte)'@';

    public static string Format(long ticks) => string.Create(CultureInfo.InvariantCulture, $"@{ticks:x16}");

    /// <summary>Takes the first stamp and all before it off <paramref name="bytes"/>; false leaves what may be the start of one.</summary>
    public static bool TryTake(ref ReadOnlySpan<byte> bytes, out long ticks)
    {
        int at = bytes.IndexOf(Mark);
        bytes = at < 0 ? [] : bytes[at..];
        ticks = 0;
        if (bytes.Length < Length) return false;
        if (!Utf8Parser.TryParse(bytes[1..Length], out ticks, out _, 'x')) throw new InvalidDataException("An '@' in the stream is not followed by 16 hexadecimal digits.");
        bytes = bytes[Length..];
        return true;
    }
}
