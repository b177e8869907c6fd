using InferenceServer.Text.Tokenizers.Normalizing;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>
/// Makes the normalizer of a tokenizer.json. To add one: 1. write an <see cref="INormalizer"/>; 2. give its "type" a line here.
/// </summary>
internal static class NormalizerReader
{
    public static INormalizer? Read(JsonField field) => field.IsNull ? null : field.Type switch
    {
        "Sequence" => new NormalizerSequence([.. field.Required("normalizers").Items().Select(static item => Read(item) ?? throw item.Expected("a normalizer"))]),
        "NFC" => UnicodeNormalizer.Nfc,
        "NFD" => UnicodeNormalizer.Nfd,
        "NFKC" => UnicodeNormalizer.Nfkc,
        "NFKD" => UnicodeNormalizer.Nfkd,
        "Lowercase" => RuneNormalizer.Lowercase,
        "StripAccents" => RuneNormalizer.StripAccents,
        "Nmt" => RuneNormalizer.Nmt,
        "Strip" => new StripNormalizer(field["strip_left"].BoolOr(true), field["strip_right"].BoolOr(true)),
        "Prepend" => new PrependNormalizer(field.Required("prepend").AsString()),
        "Replace" => Replace(field),
        "ByteLevel" => new ByteLevelNormalizer(),
        "BertNormalizer" => Bert(field),
        "Precompiled" => PrecompiledNormalizer.Read(field.Required("precompiled_charsmap")),
        _ => throw field["type"].Expected("a normalizer that this server knows"),
    };

    /// <summary>A Replace, which is a normalizer and a decoder.</summary>
    public static INormalizer Replace(JsonField field)
    {
        string content = field.Required("content").AsString();
        JsonField literal = field.Required("pattern")["String"];
        return !literal.IsNull && literal.AsString().Length == 1 && content.Length == 1
            ? new ReplaceCharNormalizer(literal.AsString()[0], content[0])
            : new ReplaceNormalizer(PatternReader.Read(field.Required("pattern")), content);
    }

    private static BertNormalizer Bert(JsonField field)
    {
        bool lowercase = field["lowercase"].BoolOr(true);
        return new BertNormalizer(field["clean_text"].BoolOr(true), field["handle_chinese_chars"].BoolOr(true), field["strip_accents"].BoolOr(lowercase), lowercase);
    }
}
