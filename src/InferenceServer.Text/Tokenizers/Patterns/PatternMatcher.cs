namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>
/// A step of a compiled pattern that knows the step behind it. Backtracking is the call stack, whose depth is the pattern's
/// length, never the text's.
/// </summary>
internal abstract class PatternMatcher
{
    /// <summary>The end of the match that begins at <paramref name="at"/>, or -1.</summary>
    public abstract int Match(ReadOnlySpan<char> text, int at);

    /// <summary>False only if no match can begin with <paramref name="first"/>.</summary>
    public abstract bool CanBegin(char first);

    /// <exception cref="NotSupportedException">A construct that this matcher does not know.</exception>
    public static PatternMatcher Compile(PatternNode node, PatternMatcher next) => node switch
    {
        PatternNode.One one => new RunStep(one.Set, 1, 1, possessive: true, next),
        PatternNode.LineEnd => new LineEndStep(next),
        PatternNode.LookAhead look => new LookStep(look.Set, look.Negative, next),
        PatternNode.Chain chain => chain.Parts.Reverse().Aggregate(next, static (behind, part) => Compile(part, behind)),
        PatternNode.Choice choice => new ChoiceStep([.. choice.Alternatives.Select(alternative => Compile(alternative, next))]),
        PatternNode.Repeat { Body: PatternNode.One one } repeat => new RunStep(one.Set, repeat.Min, repeat.Max, repeat.Possessive, next),
        PatternNode.Repeat { Min: 0, Max: 1, Possessive: false } repeat => new ChoiceStep([Compile(repeat.Body, next), next]),
        _ => throw new NotSupportedException("A repeated group."),
    };

    /// <summary>The end of the pattern.</summary>
    internal sealed class EndStep : PatternMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at) => at;

        public override bool CanBegin(char first) => true;
    }

    private sealed class RunStep(CodePointSet set, int min, int max, bool possessive, PatternMatcher next) : PatternMatcher
    {
        private readonly bool _isLast = next is EndStep;

        public override int Match(ReadOnlySpan<char> text, int at)
        {
            int end = set.RunEnd(text, at, max, out int count);
            if (count < min)
                return -1;
            if (_isLast)
                return end;

            int match = next.Match(text, end);
            if (match >= 0 || possessive)
                return match;

            for (; count > min; count--)
            {
                end -= end - 2 >= at && char.IsSurrogatePair(text[end - 2], text[end - 1]) ? 2 : 1;
                match = next.Match(text, end);
                if (match >= 0)
                    return match;
            }

            return -1;
        }

        public override bool CanBegin(char first) => set.Contains(first) || (min == 0 && next.CanBegin(first));
    }

    private sealed class LookStep(CodePointSet set, bool negative, PatternMatcher next) : PatternMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at) => set.Step(text, at) > 0 != negative ? next.Match(text, at) : -1;

        public override bool CanBegin(char first) => next.CanBegin(first);
    }

    private sealed class LineEndStep(PatternMatcher next) : PatternMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at) => at == text.Length || text[at] == '\n' ? next.Match(text, at) : -1;

        public override bool CanBegin(char first) => next.CanBegin(first);
    }

    private sealed class ChoiceStep(PatternMatcher[] alternatives) : PatternMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at)
        {
            foreach (PatternMatcher alternative in alternatives)
                if (alternative.Match(text, at) is >= 0 and int end)
                    return end;
            return -1;
        }

        public override bool CanBegin(char first) => Array.Exists(alternatives, alternative => alternative.CanBegin(first));
    }
}
