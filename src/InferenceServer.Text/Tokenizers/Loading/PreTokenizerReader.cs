using System.Globalization;
using System.Text;
using InferenceServer.Text.Tokenizers.Patterns;
using InferenceServer.Text.Tokenizers.PreTokenizing;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>
/// Makes the pre-tokenizer of a tokenizer.json. To add one: 1. write an <see cref="IPreTokenizer"/>, or find the pattern and behaviour
/// that a <see cref="PatternSplit"/> needs; 2. give its "type" a line here.
/// </summary>
internal static class PreTokenizerReader
{
    private static readonly ClassPattern WhiteSpace = Class(PatternEscapes.IsWhiteSpace);
    private static readonly ClassPattern Numeric = Class(CodePointSet.OfCategories(
        1u << (int)UnicodeCategory.DecimalDigitNumber | 1u << (int)UnicodeCategory.LetterNumber | 1u << (int)UnicodeCategory.OtherNumber));
    private static readonly ClassPattern Punctuation = Class(static c => c < 128 ? char.IsPunctuation((char)c) || char.IsSymbol((char)c) : Rune.IsPunctuation(new Rune(c)));

    private static readonly ClassPattern WordsAndSymbols = ClassPattern.Compile(new PatternNode.Choice(
        [Run(PatternEscapes.IsPlainWord), Run(static c => !PatternEscapes.IsPlainWord(c) && !PatternEscapes.IsWhiteSpace(c))]));

    /// <summary>Reads a pre-tokenizer.</summary>
    /// <param name="field">"pre_tokenizer", or one in a sequence.</param>
    /// <param name="isLast">Nothing but the model follows.</param>
    public static IPreTokenizer? Read(JsonField field, bool isLast = true) => field.IsNull ? null : field.Type switch
    {
        "Sequence" => Sequence(field, isLast),
        "ByteLevel" => new ByteLevelPreTokenizer(field["add_prefix_space"].BoolOr(true), field["use_regex"].BoolOr(true), writesStandIns: !isLast),
        "Split" => new PatternSplit(PatternReader.Read(field.Required("pattern")), Behavior(field.Required("behavior")), field["invert"].BoolOr(false)),
        "Metaspace" => Metaspace(field),
        "Digits" => new PatternSplit(Numeric, field["individual_digits"].BoolOr(false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
        "Punctuation" => new PatternSplit(Punctuation, field["behavior"].IsNull ? SplitBehavior.Isolated : Behavior(field["behavior"])),
        "Whitespace" => new PatternSplit(WordsAndSymbols, SplitBehavior.Removed, invert: true),
        "WhitespaceSplit" => new PatternSplit(WhiteSpace, SplitBehavior.Removed),
        "BertPreTokenizer" => new PreTokenizerSequence([new PatternSplit(WhiteSpace, SplitBehavior.Removed), new PatternSplit(Punctuation, SplitBehavior.Isolated)]),
        "CharDelimiterSplit" => new PatternSplit(new LiteralPattern(field.Required("delimiter").AsString()), SplitBehavior.Removed),
        "FixedLength" => new FixedLengthPreTokenizer(field["length"].IsNull ? 5 : Math.Max(1, field["length"].AsInt())),
        _ => throw field["type"].Expected("a pre-tokenizer that this server knows"),
    };

    /// <summary>Whether the model gets plain text of which it must make bytes itself: the last step is ByteLevel.</summary>
    public static bool EndsInByteLevel(JsonField field)
    {
        if (field.IsNull)
            return false;
        if (field.Type == "ByteLevel")
            return true;
        return field.Type == "Sequence" && field.Required("pretokenizers").Items() is [.., JsonField last] && EndsInByteLevel(last);
    }

    private static PreTokenizerSequence Sequence(JsonField field, bool isLast)
    {
        List<JsonField> items = field.Required("pretokenizers").Items();
        return new PreTokenizerSequence([.. items.Select((item, i) =>
            Read(item, isLast && i == items.Count - 1) ?? throw item.Expected("a pre-tokenizer"))]);
    }

    private static MetaspacePreTokenizer Metaspace(JsonField field)
    {
        PrependScheme scheme = field["prepend_scheme"].StringOr(field["add_prefix_space"].BoolOr(true) ? "always" : "never") switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw field["prepend_scheme"].Expected("\"always\", \"first\" or \"never\""),
        };
        return new MetaspacePreTokenizer(field["replacement"].CharOr('▁'), scheme, field["split"].BoolOr(true));
    }

    private static SplitBehavior Behavior(JsonField field) => field.AsString() switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        _ => throw field.Expected("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
    };

    private static ClassPattern Class(Func<int, bool> rule) => ClassPattern.Compile(new PatternNode.One(new CodePointSet(rule)));

    private static PatternNode.Repeat Run(Func<int, bool> rule) => new(new PatternNode.One(new CodePointSet(rule)), 1, int.MaxValue, Possessive: true);
}
