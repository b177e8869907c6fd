namespace InferenceServer.Text.Tokenizers.Added;

/// <summary>A token that is found in the text before the model sees it.</summary>
internal sealed record AddedToken
{
    public required int Id { get; init; }

    public required string Content { get; init; }

    /// <summary>Control tokens such as <c>&lt;|eot_id|&gt;</c>: recognised only when the caller asks, skipped on decoding when asked.</summary>
    public bool Special { get; init; }

    /// <summary>Looked for behind the normalizer, in its normalized form.</summary>
    public bool Normalized { get; init; }

    /// <summary>Only between non-word characters.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Swallows white space in front.</summary>
    public bool LeftStrip { get; init; }

    /// <summary>Swallows white space behind.</summary>
    public bool RightStrip { get; init; }
}
