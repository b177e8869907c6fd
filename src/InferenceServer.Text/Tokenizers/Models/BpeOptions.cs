namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>What a tokenizer.json says of its BPE model besides vocabulary and merges.</summary>
internal sealed record BpeOptions
{
    /// <summary>The atoms are bytes, not characters: the pre-tokenizer ends in ByteLevel.</summary>
    public bool ByteLevel { get; init; }

    /// <summary>A piece that is a token is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>A character that is no token becomes <c>&lt;0xNN&gt;</c> tokens, where all of them exist.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>-1: unknown characters are dropped.</summary>
    public int UnknownId { get; init; } = -1;

    /// <summary>A run of unknown characters is one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Written before every atom but the first of a piece.</summary>
    public string ContinuingPrefix { get; init; } = "";

    /// <summary>Ids from here on are characters that only merge; one that is left over becomes the tokens of its bytes. Needs ByteFallback.</summary>
    public int LettersFrom { get; init; } = int.MaxValue;

    /// <summary>Written after the last atom of a piece.</summary>
    public string EndSuffix { get; init; } = "";
}
