namespace InferenceServer.Text.Tokenizers.Decoding;

/// <summary>A token on its way through the decoders: text until one of them turns it into bytes.</summary>
/// <param name="Text">What it reads so far.</param>
/// <param name="Bytes">Set once it is bytes; no later step looks at it then.</param>
internal readonly record struct DecodedToken(string Text, byte[]? Bytes = null);
