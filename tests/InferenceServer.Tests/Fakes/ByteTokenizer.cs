using System.Text;
using InferenceServer.Core.Text;

namespace InferenceServer.Tests.Fakes;

/// <summary>One token a UTF-8 byte, and a few special tokens above them.</summary>
internal sealed class ByteTokenizer : ITokenizer
{
    public const int Bos = 256, Eos = 257;

    private static readonly string[] Special = ["<bos>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"];

    public int VocabularySize => 256 + Special.Length;

    public static int[] Ids(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

    public void Encode(string text, EncodeOptions options, List<int> ids)
    {
        if (options.AddSpecial) ids.Add(Bos);
        StringBuilder plain = new();
        for (int at = 0; at < text.Length;)
        {
            int special = options.ParseSpecial && !options.Literal.Any(r => at < r.End && at >= r.Start)
                ? Array.FindIndex(Special, s => string.CompareOrdinal(text, at, s, 0, s.Length) == 0)
                : -1;
            if (special < 0)
            {
                plain.Append(text[at++]);
                continue;
            }

            ids.AddRange(Ids(plain.ToString()));
            plain.Clear();
            ids.Add(256 + special);
            at += Special[special].Length;
        }

        ids.AddRange(Ids(plain.ToString()));
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        List<byte> bytes = [];
        foreach (int id in ids)
        {
            if (!skipSpecial || !IsSpecial(id)) bytes.AddRange(TokenBytes(id).Span);
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    public ReadOnlyMemory<byte> TokenBytes(int id) => id < 256 ? new[] { (byte)id } : Encoding.UTF8.GetBytes(Special[id - 256]);

    public bool IsSpecial(int id) => id >= 256;

    public int? FindToken(string content) => Array.IndexOf(Special, content) is >= 0 and var i ? 256 + i : null;

    public IDetokenizer CreateDetokenizer(bool skipSpecial, ReadOnlySpan<int> before = default)
    {
        Detokenizer detokenizer = new(this, skipSpecial);
        foreach (int token in before) detokenizer.Append(token);
        return detokenizer;
    }

    private sealed class Detokenizer(ByteTokenizer tokenizer, bool skipSpecial) : IDetokenizer
    {
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

        public string Append(int token) => skipSpecial && tokenizer.IsSpecial(token) ? "" : Decode(tokenizer.TokenBytes(token).Span, flush: false);

        public string Flush() => Decode([], flush: true);

        private string Decode(ReadOnlySpan<byte> bytes, bool flush)
        {
            char[] chars = new char[bytes.Length + 4];
            return new string(chars, 0, _decoder.GetChars(bytes, chars, flush));
        }
    }
}
