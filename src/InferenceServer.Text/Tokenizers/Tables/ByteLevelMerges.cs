using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Decoding;
using InferenceServer.Text.Tokenizers.Loading;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Tables;

/// <summary>The model "gpt2": byte-level BPE by merges, on pieces that the pre-tokenizer of a name cuts.</summary>
internal static class ByteLevelMerges
{
    private const int Unused = 5;

    public static TokenizerParts Read(TokenizerTables tables)
    {
        // llama.cpp's converter fills holes with unused tokens that are written as no text is.
        TokenRoles roles = TokenRoles.Read(tables, id => TokenRoles.TypeOf(tables, id) != Unused);
        PreTokenizerByName pre = PreTokenizerByName.Find(tables.Pre ?? "default");
        CheckBytes(roles);
        BpeOptions options = new() { ByteLevel = true, IgnoreMerges = pre.IgnoreMerges };
        return new TokenizerParts
        {
            Vocabulary = roles.Vocabulary,
            Model = new BpeModel(roles.Vocabulary, Merges(tables, roles), options, roles.Special),
            Decoder = new TokenDecoder([new ByteLevelStep()], EdgeStrip.None) { AddedAsWritten = true },
            Added = roles.Added,
            PreTokenizer = pre.Compile(),
            Frame = TokenFrame.Read(tables, pre.AddsBos),
        };
    }

    private static BpeMerges Merges(TokenizerTables tables, TokenRoles roles)
    {
        if (tables.Merges.Count == 0)
            throw new InvalidDataException("\"tokenizer.ggml.merges\" is absent; the model \"gpt2\" is made of them.");

        MergeBuilder merges = new(roles.Vocabulary, "tokenizer.ggml.merges", "tokenizer.ggml.tokens", "", roles.Special);
        byte[] utf8 = new byte[256];
        foreach (string line in tables.Merges)
        {
            int most = Encoding.UTF8.GetMaxByteCount(line.Length);
            if (utf8.Length < most)
                utf8 = new byte[most];
            merges.Add(utf8.AsSpan(0, Encoding.UTF8.GetBytes(line, utf8)));
        }

        return merges.Build(firstWins: true); // as in llama.cpp
    }

    /// <summary>
    /// A byte without a token is lost, as it is in llama.cpp. Vocabularies that were learned from text alone lack bytes that they never met:
    /// control characters, what UTF-8 never has, the planes without characters. More than that is a file gone wrong.
    /// </summary>
    private static void CheckBytes(TokenRoles roles)
    {
        for (int value = 0; value < 256; value++)
        {
            if (value is < 0x20 and not ('\t' or '\n') or 0x7F or 0xC0 or 0xC1 or > 0xF0)
                continue;
            string text = ByteAlphabet.ToChar((byte)value).ToString();
            int id = roles.Vocabulary.Find(Encoding.UTF8.GetBytes(text));
            if (id < 0 || roles.Special.Contains(id))
                throw new InvalidDataException($"\"tokenizer.ggml.tokens\" lacks \"{text}\", which stands for the byte 0x{value:X2}; the model \"gpt2\" needs a token for each byte.");
        }
    }
}
