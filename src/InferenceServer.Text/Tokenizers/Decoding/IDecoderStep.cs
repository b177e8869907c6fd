namespace InferenceServer.Text.Tokenizers.Decoding;

/// <summary>One decoder of a tokenizer.json, applied to a single token. Immutable and thread-safe.</summary>
internal interface IDecoderStep
{
    /// <summary>The first token of a text comes out differently.</summary>
    bool MindsFirst => false;

    /// <summary>The last token of a text comes out differently, so a token must wait for the next one.</summary>
    bool MindsLast => false;

    DecodedToken Apply(DecodedToken token, bool isFirst, bool isLast);
}
