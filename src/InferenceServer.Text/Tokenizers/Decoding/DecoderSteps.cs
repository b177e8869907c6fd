using System.Globalization;
using System.Text;
using InferenceServer.Text.Tokenizers.Models;
using InferenceServer.Text.Tokenizers.Normalizing;

namespace InferenceServer.Text.Tokenizers.Decoding;

/// <summary>The stand-ins of a byte-level vocabulary back to bytes; a token with anything else in it is taken as it is.</summary>
internal sealed class ByteLevelStep : IDecoderStep
{
    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast)
    {
        byte[] content = Encoding.UTF8.GetBytes(token.Text);
        byte[] bytes = new byte[content.Length];
        return token with { Bytes = ByteAlphabet.TryDecode(content, bytes, out int length) ? bytes[..length] : content };
    }
}

/// <summary><c>&lt;0x0A&gt;</c> is the byte 10.</summary>
internal sealed class ByteFallbackStep : IDecoderStep
{
    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast) =>
        token.Text.Length == 6 && token.Text.StartsWith("<0x", StringComparison.Ordinal) && token.Text[5] == '>'
        && byte.TryParse(token.Text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? token with { Bytes = [value] }
            : token;
}

/// <summary>A replacement within the token.</summary>
internal sealed class ReplaceStep(INormalizer replace) : IDecoderStep
{
    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast) => token with { Text = replace.Normalize(token.Text) };
}

/// <summary>A number of characters goes from the ends of every token.</summary>
internal sealed class StripStep(EdgeStrip strip) : IDecoderStep
{
    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast) => token with { Text = strip.Apply(token.Text) };
}

/// <summary>The mark becomes a space, and nothing in the first token unless nothing was put in front.</summary>
internal sealed class MetaspaceStep(char replacement, bool prepends) : IDecoderStep
{
    public bool MindsFirst => prepends;

    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast) => token with
    {
        Text = isFirst && prepends
            ? token.Text.Replace(replacement.ToString(), "", StringComparison.Ordinal)
            : token.Text.Replace(replacement, ' '),
    };
}

/// <summary>The end-of-word mark becomes a space, except at the end of the text.</summary>
internal sealed class EndSuffixStep(string suffix) : IDecoderStep
{
    public bool MindsLast => true;

    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast) => token with
    {
        Text = suffix.Length == 0 ? token.Text : token.Text.Replace(suffix, isLast ? "" : " ", StringComparison.Ordinal),
    };
}

/// <summary>A space before every token but the first: what no decoder at all means.</summary>
internal sealed class SpacedStep : IDecoderStep
{
    public bool MindsFirst => true;

    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast) => isFirst ? token : token with { Text = " " + token.Text };
}

/// <summary>WordPiece: "##" continues a word, anything else begins one behind a space; spaces before punctuation go if asked.</summary>
internal sealed class WordPieceStep(string prefix, bool cleanUp) : IDecoderStep
{
    private static readonly (string From, string To)[] CleanUps =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    public bool MindsFirst => true;

    public DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast)
    {
        string text = token.Text;
        if (!isFirst)
            text = text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : " " + text;
        if (cleanUp)
            foreach ((string from, string to) in CleanUps)
                text = text.Replace(from, to, StringComparison.Ordinal);
        return token with { Text = text };
    }
}
