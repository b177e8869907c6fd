using System.Text;

namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>
/// Unicode normalization forms, <see href="https://www.unicode.org/reports/tr15/"/>. Our own, because this repository runs in invariant
/// globalization mode, in which <c>string.Normalize</c> returns its input. Linear but for a sort of each run of combining marks.
/// </summary>
internal sealed class UnicodeNormalizer : INormalizer
{
    public static readonly UnicodeNormalizer Nfc = new(compatibility: false, composes: true);
    public static readonly UnicodeNormalizer Nfd = new(compatibility: false, composes: false);
    public static readonly UnicodeNormalizer Nfkc = new(compatibility: true, composes: true);
    public static readonly UnicodeNormalizer Nfkd = new(compatibility: true, composes: false);

    // Hangul syllables are computed: Unicode chapter 3.12.
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TailCount = 28, HangulCount = LeadCount * VowelCount * TailCount;

    private readonly bool _compatibility;
    private readonly bool _composes;

    private UnicodeNormalizer(bool compatibility, bool composes) => (_compatibility, _composes) = (compatibility, composes);

    public string Normalize(string text)
    {
        if (IsUnchanged(text))
            return text;

        List<int> points = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            Decompose(rune.Value, points);
        Reorder(points);
        if (_composes)
            Compose(points);
        StringBuilder normalized = new(points.Count);
        foreach (int point in points)
            normalized.Append(new Rune(point));
        return normalized.ToString();
    }

    /// <summary>Most texts need no work: below U+0080 nothing changes, and for NFC a bitmap tells the few characters that may.</summary>
    private bool IsUnchanged(string text)
    {
        if (!_composes || _compatibility)
            return Ascii.IsValid(text);
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u02FF'))
            return true;
        foreach (char c in text)
            if (c > '\u02FF' && UnicodeData.Instance.MayChange(c))
                return false;
        return true;
    }

    private void Decompose(int point, List<int> points)
    {
        if (point is >= HangulBase and < HangulBase + HangulCount)
        {
            int syllable = point - HangulBase;
            points.Add(LeadBase + syllable / (VowelCount * TailCount));
            points.Add(VowelBase + syllable % (VowelCount * TailCount) / TailCount);
            if (syllable % TailCount > 0)
                points.Add(TailBase + syllable % TailCount);
        }
        else if (point >= 0x80 && UnicodeData.Instance.TryDecompose(point, _compatibility, out int[] parts))
        {
            foreach (int part in parts)
                Decompose(part, points);
        }
        else
        {
            points.Add(point);
        }
    }

    /// <summary>Sorts each run of combining marks by class, marks of one class keeping their order.</summary>
    private static void Reorder(List<int> points)
    {
        for (int at = 0; at < points.Count; at++)
        {
            if (points[at] < 0x300 || UnicodeData.Instance.ClassOf(points[at]) == 0)
                continue;

            int start = at;
            while (at < points.Count && UnicodeData.Instance.ClassOf(points[at]) != 0)
                at++;
            if (at - start == 1)
                continue;
            int[] run = [.. points.GetRange(start, at - start).OrderBy(UnicodeData.Instance.ClassOf)]; // a stable sort
            for (int i = 0; i < run.Length; i++)
                points[start + i] = run[i];
        }
    }

    private static void Compose(List<int> points)
    {
        int starter = -1;  // where the last character that others may join stands
        int lastClass = 0; // the class of what was kept last
        int kept = 0;
        foreach (int point in points.ToArray())
        {
            int classOf = point < 0x300 ? 0 : UnicodeData.Instance.ClassOf(point);
            bool isBlocked = starter >= 0 && kept - 1 > starter && (lastClass == 0 || lastClass >= classOf);
            if (starter >= 0 && !isBlocked && TryCompose(points[starter], point, out int composed))
            {
                points[starter] = composed;
                continue;
            }

            if (classOf == 0)
                starter = kept;
            lastClass = classOf;
            points[kept++] = point;
        }

        points.RemoveRange(kept, points.Count - kept);
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        if (first is >= LeadBase and < LeadBase + LeadCount && second is >= VowelBase and < VowelBase + VowelCount)
        {
            composed = HangulBase + ((first - LeadBase) * VowelCount + second - VowelBase) * TailCount;
            return true;
        }

        if (first is >= HangulBase and < HangulBase + HangulCount && (first - HangulBase) % TailCount == 0
            && second is > TailBase and < TailBase + TailCount)
        {
            composed = first + second - TailBase;
            return true;
        }

        return UnicodeData.Instance.TryCompose(first, second, out composed);
    }
}
