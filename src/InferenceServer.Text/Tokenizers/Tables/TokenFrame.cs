using InferenceServer.Core.Text;

namespace InferenceServer.Text.Tokenizers.Tables;

/// <summary>Which ids go around a text: BOS and EOS as the tables say, or as is the model's habit.</summary>
internal static class TokenFrame
{
    /// <param name="tables">As read from the file.</param>
    /// <param name="addsBos">The model's habit where the file does not say.</param>
    /// <param name="bosHabit">The model's BOS where the file does not say; null if it has none.</param>
    /// <param name="eosHabit">The same of EOS.</param>
    public static SpecialFrame Read(TokenizerTables tables, bool addsBos, int? bosHabit = null, int? eosHabit = null) => new(
        Ids(tables.AddBos, addsBos, tables.BosToken ?? Within(tables, bosHabit), "bos"),
        Ids(tables.AddEos, false, tables.EosToken ?? Within(tables, eosHabit), "eos"));

    private static int? Within(TokenizerTables tables, int? id) => id < tables.Tokens.Count ? id : null;

    private static int[] Ids(bool? written, bool habit, int? id, string name)
    {
        if (!(written ?? habit))
            return [];
        if (id is int known)
            return [known];
        return written is null
            ? []
            : throw new InvalidDataException($"\"tokenizer.ggml.add_{name}_token\" is true, but \"tokenizer.ggml.{name}_token_id\" is absent; expected the id to add.");
    }
}
