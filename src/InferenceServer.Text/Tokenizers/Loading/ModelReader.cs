using System.Text;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>
/// Makes the model of a "model" section. To add a model: 1. write an <see cref="ITokenModel"/>; 2. give its "type" a line in <see cref="Read"/>.
/// </summary>
internal static class ModelReader
{
    public static ITokenModel Read(ModelSection section, ReadOnlySpan<byte> file, bool byteLevel, IReadOnlySet<int> special)
    {
        FieldMap fields = section.Fields;
        string type = fields["type"].StringOr(section.Scores is not null ? "Unigram" : section.MergesAt >= 0 ? "BPE" : "WordPiece");
        return (type, section.Scores is not null) switch
        {
            ("BPE", false) => ReadBpe(section, file, byteLevel, special),
            ("Unigram", true) => ReadUnigram(section, byteLevel, special),
            ("WordPiece", false) => ReadWordPiece(section, byteLevel, special),
            ("BPE" or "Unigram" or "WordPiece", _) => throw new InvalidDataException($"\"model.vocab\" has not the shape that a {type} model has."),
            _ => throw new InvalidDataException($"\"model.type\" is \"{type}\"; this server knows BPE, Unigram and WordPiece."),
        };
    }

    private static BpeModel ReadBpe(ModelSection section, ReadOnlySpan<byte> file, bool byteLevel, IReadOnlySet<int> special)
    {
        if (section.MergesAt < 0)
            throw new InvalidDataException("\"model\" lacks \"merges\".");

        FieldMap fields = section.Fields;
        BpeOptions options = new()
        {
            ByteLevel = byteLevel,
            IgnoreMerges = fields["ignore_merges"].BoolOr(false),
            ByteFallback = fields["byte_fallback"].BoolOr(false),
            FuseUnknown = fields["fuse_unk"].BoolOr(false),
            UnknownId = Unknown(section, fields["unk_token"]),
            ContinuingPrefix = fields["continuing_subword_prefix"].StringOr(""),
            EndSuffix = fields["end_of_word_suffix"].StringOr(""),
        };
        BpeMerges merges = new MergesReader(section, options.ContinuingPrefix, special).Read(file);
        return new BpeModel(section.Vocabulary, merges, options, special);
    }

    private static UnigramModel ReadUnigram(ModelSection section, bool byteLevel, IReadOnlySet<int> special)
    {
        FieldMap fields = section.Fields;
        int unknown = fields["unk_id"].IsNull ? -1 : fields["unk_id"].AsInt();
        if (unknown >= section.Vocabulary.Size)
            throw fields["unk_id"].Expected($"an id below {section.Vocabulary.Size}");
        return new UnigramModel(section.Vocabulary, section.Scores!, unknown, fields["byte_fallback"].BoolOr(false), byteLevel, special);
    }

    private static WordPieceModel ReadWordPiece(ModelSection section, bool byteLevel, IReadOnlySet<int> special)
    {
        FieldMap fields = section.Fields;
        int longest = fields["max_input_chars_per_word"].IsNull ? 100 : fields["max_input_chars_per_word"].AsInt();
        string unknownToken = fields["unk_token"].StringOr("[UNK]");
        int unknown = section.Vocabulary.Find(Encoding.UTF8.GetBytes(unknownToken));
        if (unknown < 0)
            throw new InvalidDataException($"\"model.unk_token\" is \"{unknownToken}\", which is not in \"model.vocab\".");
        return new WordPieceModel(section.Vocabulary, unknown, fields["continuing_subword_prefix"].StringOr("##"), longest, byteLevel, special);
    }

    private static int Unknown(ModelSection section, JsonField token)
    {
        if (token.IsNull)
            return -1;
        int id = section.Vocabulary.Find(Encoding.UTF8.GetBytes(token.AsString()));
        return id >= 0 ? id : throw token.Expected("a token of \"model.vocab\"");
    }

}
