using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Tables of the model "llama" made up for a test: ids 0 to 255 are the bytes, then come the pieces in order.</summary>
internal static class SmallTables
{
    public static TokenizerTables Of(Dictionary<string, float> pieces, params (string Text, int Type)[] types)
    {
        string[] texts = [.. pieces.Keys];
        return new TokenizerTables
        {
            Source = "small.gguf",
            Model = "llama",
            Tokens = [.. Enumerable.Range(0, 256).Select(static b => $"<0x{b:X2}>"), .. texts],
            Scores = [.. Enumerable.Repeat(0f, 256), .. pieces.Values],
            Types = [.. Enumerable.Repeat(6, 256), .. texts.Select(text => types.FirstOrDefault(type => type.Text == text, (Text: "", Type: 1)).Type)],
        };
    }

    /// <summary>Tables of the model "gpt2": ids 0 to 255 are the bytes, then come the pieces.</summary>
    public static TokenizerTables ByteLevel(string[] pieces, string[] merges) => new()
    {
        Source = "small.gguf",
        Model = "gpt2",
        Pre = "gpt-2",
        Tokens = [.. Enumerable.Range(0, 256).Select(static b => ByteAlphabet.ToChar((byte)b).ToString()), .. pieces],
        Merges = merges,
    };

    /// <summary>The tokens of a text as they stand in the tables, a bar behind each.</summary>
    public static string Show(TokenizerTables tables, string text, bool parseSpecial = false, params TextRange[] literal) =>
        string.Concat(TestFiles.Encode(TokenizerTablesLoader.Load(tables), text, parseSpecial: parseSpecial, literal: literal).Select(id => tables.Tokens[id] + "|"));
}
