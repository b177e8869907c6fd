namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>The index that <c>ignore_merges</c> needs: plain UTF-8 text to the token that is exactly this text.</summary>
internal static class WholePieces
{
    public static ByteStringIndex Index(Vocabulary vocabulary, bool byteLevel, IReadOnlySet<int> special)
    {
        int[] starts = new int[vocabulary.Size];
        int[] lengths = new int[vocabulary.Size];
        int total = 0;
        for (int id = 0; id < vocabulary.Size; id++)
            total += vocabulary.Content(id).Length;

        byte[] text = new byte[total];
        int at = 0;
        for (int id = 0; id < vocabulary.Size; id++)
        {
            ReadOnlySpan<byte> content = vocabulary.Content(id);
            starts[id] = at;
            lengths[id] = -1;
            if (content.IsEmpty || special.Contains(id))
                continue;
            int length = content.Length;
            if (!byteLevel)
                content.CopyTo(text.AsSpan(at));
            else if (!ByteAlphabet.TryDecode(content, text.AsSpan(at), out length))
                continue;
            lengths[id] = length;
            at += length;
        }

        return new ByteStringIndex(text, starts, lengths);
    }
}
