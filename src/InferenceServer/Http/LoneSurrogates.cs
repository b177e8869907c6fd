using System.Buffers.Text;

namespace InferenceServer.Http;

/// <summary>
/// JSON may spell half a surrogate pair ("\ud800"), which is no character: .NET's reader throws when asked for such a string.
/// It becomes U+FFFD, as everywhere else in this server, by rewriting the escape's four hex digits in place.
/// </summary>
internal static class LoneSurrogates
{
    private const int EscapeLength = 6; // \uXXXX

    /// <param name="json">Valid UTF-8. Time is linear.</param>
    public static void Replace(Span<byte> json)
    {
        for (int at = NextEscape(json, 0); at >= 0; at = NextEscape(json, at))
        {
            if (Unit(json, at) is not { } unit)
            {
                at += 2; // the backslash and what it escapes
                continue;
            }

            bool pair = char.IsHighSurrogate(unit) && Unit(json, at + EscapeLength) is { } low && char.IsLowSurrogate(low);
            if (char.IsSurrogate(unit) && !pair) "FFFD"u8.CopyTo(json[(at + 2)..]);
            at += pair ? 2 * EscapeLength : EscapeLength;
        }
    }

    private static int NextEscape(ReadOnlySpan<byte> json, int from)
    {
        if (from >= json.Length) return -1;
        int found = json[from..].IndexOf((byte)'\\');
        return found < 0 ? -1 : from + found;
    }

    /// <summary>The UTF-16 unit that the escape at this place spells; null if none is there.</summary>
    private static char? Unit(ReadOnlySpan<byte> json, int at)
    {
        if (at + EscapeLength > json.Length || json[at] != '\\' || json[at + 1] != 'u') return null;
        return Utf8Parser.TryParse(json.Slice(at + 2, 4), out ushort unit, out int read, 'x') && read == 4 ? (char)unit : null;
    }
}
