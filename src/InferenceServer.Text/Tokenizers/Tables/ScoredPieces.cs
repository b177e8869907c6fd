using System.Globalization;
using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Decoding;
using InferenceServer.Text.Tokenizers.Models;
using InferenceServer.Text.Tokenizers.Normalizing;

namespace InferenceServer.Text.Tokenizers.Tables;

/// <summary>The model "llama": SentencePiece's BPE, which joins the two neighbours that make the token of the highest score.</summary>
internal static class ScoredPieces
{
    private const char Space = '▁';
    private const int Byte = 6;

    public static TokenizerParts Read(TokenizerTables tables)
    {
        TokenRoles roles = TokenRoles.Read(tables, static _ => true);
        HashSet<int> apart = [.. roles.Special, .. Bytes(tables, roles)];
        ScoredMerges merges = ScoredMerges.Build(tables, roles.Vocabulary, apart);
        BpeOptions options = new() { ByteFallback = true, LettersFrom = roles.Vocabulary.Size };
        bool spaceInFront = tables.AddSpacePrefix ?? true;
        ReplaceCharNormalizer toMark = new(' ', Space);
        return new TokenizerParts
        {
            Vocabulary = roles.Vocabulary,
            Model = new BpeModel(merges.Vocabulary, merges.Merges, options, roles.Special),
            Decoder = new TokenDecoder(
                [new ByteFallbackStep(), new ReplaceStep(new ReplaceCharNormalizer(Space, ' '))],
                spaceInFront ? new EdgeStrip(' ', 1, 0) : EdgeStrip.None)
            { AddedAsWritten = true },
            Added = roles.Added,
            Normalizer = spaceInFront ? new NormalizerSequence([new PrependNormalizer(Space.ToString()), toMark]) : toMark,
            Frame = TokenFrame.Read(tables, addsBos: true, bosHabit: 1, eosHabit: 2),
        };
    }

    /// <summary>The ids of all 256 bytes, without which some text would have no tokens.</summary>
    private static int[] Bytes(TokenizerTables tables, TokenRoles roles)
    {
        int[] ids = new int[256];
        for (int value = 0; value < 256; value++)
        {
            string text = $"<0x{value:X2}>";
            ids[value] = roles.Vocabulary.Find(Encoding.UTF8.GetBytes(text));
            if (ids[value] < 0 || roles.Special.Contains(ids[value]))
                throw new InvalidDataException($"\"tokenizer.ggml.tokens\" lacks \"{text}\"; the model \"llama\" needs a token for each of the 256 bytes.");
        }

        for (int id = 0; id < tables.Types.Count; id++)
            if (tables.Types[id] == Byte && Array.IndexOf(ids, id) < 0)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"\"tokenizer.ggml.token_type[{id}]\" says byte, but the token is \"{TokenRoles.Show(tables.Tokens[id])}\"; expected \"<0x00>\" to \"<0xFF>\"."));
        return ids;
    }
}
