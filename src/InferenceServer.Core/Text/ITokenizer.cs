namespace InferenceServer.Core.Text;

/// <summary>A half-open range of UTF-16 indices.</summary>
public readonly record struct TextRange(int Start, int End);

/// <summary>How text is turned into tokens.</summary>
public sealed record EncodeOptions
{
    /// <summary>Add what the tokenizer's post-processor adds (BOS and the like).</summary>
    public bool AddSpecial { get; init; } = true;

    /// <summary>Recognise special tokens such as <c>&lt;|eot_id|&gt;</c> in the text. Off for anything a user wrote.</summary>
    public bool ParseSpecial { get; init; }

    /// <summary>With ParseSpecial: ranges, sorted and disjoint, in which a special token must not be recognised even in part: what users wrote inside a rendered template.</summary>
    public IReadOnlyList<TextRange> Literal { get; init; } = [];
}

/// <summary>Text to tokens and back. Immutable and thread-safe.</summary>
public interface ITokenizer
{
    /// <summary>Highest id + 1.</summary>
    int VocabularySize { get; }

    /// <summary>Bytes of the longest token: a text of N bytes has at least N / this many tokens, but for white space that a normalizer drops. 0: not known.</summary>
    int LongestTokenBytes => 0;

    /// <summary>Appends the ids of <paramref name="text"/>. Time is linear in the text. Lone surrogates become U+FFFD.</summary>
    void Encode(string text, EncodeOptions options, List<int> ids);

    /// <summary>The text of ids; broken UTF-8 becomes U+FFFD. Ids that no token has read as nothing: models pad their vocabulary to round numbers.</summary>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecial);

    /// <summary>The bytes a token stands for in the middle of a text (special tokens: their content; ids that no token has: nothing).</summary>
    ReadOnlyMemory<byte> TokenBytes(int id);

    bool IsSpecial(int id);

    /// <summary>The id of a whole token by its content, special tokens included; null if there is none.</summary>
    int? FindToken(string content);

    /// <summary>A decoder that takes one token at a time. Not thread-safe; one a choice.</summary>
    /// <param name="skipSpecial">Special tokens read as nothing.</param>
    /// <param name="before">What its tokens continue, a prompt: a space that only the beginning of a text loses stays, and a character begun here is finished there.</param>
    IDetokenizer CreateDetokenizer(bool skipSpecial, ReadOnlySpan<int> before = default);
}

/// <summary>
/// Incremental decoding: the concatenation of everything returned equals <see cref="ITokenizer.Decode"/> of all tokens at once,
/// however they are split, and no returned string ends inside a character. Behind a prompt it is what <see cref="ITokenizer.Decode"/>
/// of prompt and tokens has beyond the text that was certain with the prompt.
/// </summary>
public interface IDetokenizer
{
    /// <summary>The text that became certain with this token; often empty, never null.</summary>
    string Append(int token);

    /// <summary>What is left at the end: an unfinished character as U+FFFD.</summary>
    string Flush();
}
