namespace InferenceServer.Core.Text;

/// <summary>
/// A tokenizer as tables, the way a GGUF file carries one (tokenizer.ggml.*): what the files' room reads and the text room turns into an
/// <see cref="ITokenizer"/>. As read: lengths agree with <see cref="Tokens"/>, nothing else was believed or checked. Immutable.
/// </summary>
public sealed record TokenizerTables
{
    /// <summary>Names the source in errors, usually a path.</summary>
    public required string Source { get; init; }

    /// <summary>tokenizer.ggml.model: "llama" (SentencePiece BPE by scores) or "gpt2" (byte-level BPE by merges).</summary>
    public required string Model { get; init; }

    /// <summary>tokenizer.ggml.pre: which pre-tokenizer, e.g. "llama-bpe", "qwen2", "default"; null if not written.</summary>
    public string? Pre { get; init; }

    /// <summary>Text of each id.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary>Score of each id; empty if not written.</summary>
    public IReadOnlyList<float> Scores { get; init; } = [];

    /// <summary>1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; empty if not written.</summary>
    public IReadOnlyList<int> Types { get; init; } = [];

    /// <summary>"left right", best first; empty if not written.</summary>
    public IReadOnlyList<string> Merges { get; init; } = [];

    public int? BosToken { get; init; }

    public int? EosToken { get; init; }

    public int? UnknownToken { get; init; }

    /// <summary>Null if not written: the model's own habit applies.</summary>
    public bool? AddBos { get; init; }

    public bool? AddEos { get; init; }

    public bool? AddSpacePrefix { get; init; }
}
