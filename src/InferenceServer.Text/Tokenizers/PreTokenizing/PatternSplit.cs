using InferenceServer.Text.Tokenizers.Patterns;

namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>Cuts at the matches of a pattern, as <c>NormalizedString::split</c> of Hugging Face's tokenizers does.</summary>
internal sealed class PatternSplit(ITextPattern pattern, SplitBehavior behavior, bool invert = false) : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink)
    {
        // A match and a gap are both pieces here, so nothing needs to be remembered.
        if (behavior == SplitBehavior.Isolated && pattern is ClassPattern compiled)
            SplitIsolated(compiled, piece, sink);
        else
            SplitByMatches(piece, sink);
    }

    private static void SplitIsolated(ClassPattern compiled, in Piece piece, IPieceSink sink)
    {
        ReadOnlySpan<char> text = piece.Span;
        int gap = 0;
        for (int at = 0; at < text.Length;)
        {
            int end = compiled.MatchEnd(text, at);
            if (end > at)
            {
                if (gap < at)
                    sink.Take(piece.Part(gap, at));
                sink.Take(piece.Part(at, end));
                gap = at = end;
                continue;
            }

            if (end == at && gap < at) // an empty match is a border too
            {
                sink.Take(piece.Part(gap, at));
                gap = at;
            }

            at += at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
        }

        if (gap < text.Length)
            sink.Take(piece.Part(gap, text.Length));
    }

    private void SplitByMatches(in Piece piece, IPieceSink sink)
    {
        List<(int Start, int End)> found = [];
        pattern.FindAll(piece.Span, found);
        List<Section> sections = new(found.Count * 2 + 1);
        int from = 0;
        foreach ((int start, int end) in found)
        {
            if (from < start)
                sections.Add(new Section(from, start, invert));
            sections.Add(new Section(start, end, !invert));
            from = end;
        }

        if (from < piece.Span.Length)
            sections.Add(new Section(from, piece.Span.Length, invert));
        if (behavior != SplitBehavior.Isolated)
            sections = Apply(sections);
        foreach (Section section in sections)
            if (section.Start < section.End && !(behavior == SplitBehavior.Removed && section.IsMatch))
                sink.Take(piece.Part(section.Start, section.End));
    }

    private List<Section> Apply(List<Section> sections)
    {
        if (behavior == SplitBehavior.Removed)
            return sections;

        List<Section> merged = new(sections.Count);
        for (int i = 0; i < sections.Count; i++)
        {
            Section section = sections[i];
            bool joins = i > 0 && behavior switch
            {
                SplitBehavior.Contiguous => section.IsMatch == sections[i - 1].IsMatch,
                SplitBehavior.MergedWithPrevious => section.IsMatch && !sections[i - 1].IsMatch,
                _ => !section.IsMatch && sections[i - 1].IsMatch,
            };
            if (joins)
                merged[^1] = merged[^1] with { End = section.End };
            else
                merged.Add(section);
        }

        return merged;
    }

    private readonly record struct Section(int Start, int End, bool IsMatch);
}
