using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Tables;

namespace InferenceServer.Text.Tokenizers;

/// <summary>
/// Makes a tokenizer of a GGUF file's tables. What the tables leave open is as in llama.cpp (llama-vocab.cpp), which such files are written for.
/// Whatever is wrong with them is an <see cref="InvalidDataException"/> that names source and field.
/// </summary>
public static class TokenizerTablesLoader
{
    /// <returns>Immutable and thread-safe.</returns>
    /// <exception cref="InvalidDataException">The tables are not a tokenizer that this server understands.</exception>
    public static ITokenizer Load(TokenizerTables tables)
    {
        ArgumentNullException.ThrowIfNull(tables);
        try
        {
            return new PipelineTokenizer(Read(tables));
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{tables.Source}: {e.Message}", e);
        }
    }

    private static TokenizerParts Read(TokenizerTables tables) => tables.Model switch
    {
        "llama" => ScoredPieces.Read(tables),
        "gpt2" => ByteLevelMerges.Read(tables),
        _ => throw new InvalidDataException(
            $"\"tokenizer.ggml.model\" is \"{tables.Model}\"; this server knows \"llama\" (SentencePiece by scores) and \"gpt2\" (byte-level BPE by merges)."),
    };
}
