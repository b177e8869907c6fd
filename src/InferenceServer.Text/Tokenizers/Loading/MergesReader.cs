using System.Text;
using System.Text.Json;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>Reads "model.merges": strings "left right" or pairs ["left","right"].</summary>
internal sealed class MergesReader(ModelSection model, string continuingPrefix, IReadOnlySet<int> special)
{
    private readonly byte[] _joined = new byte[2 * model.Vocabulary.LongestToken];
    private readonly int _prefixLength = Encoding.UTF8.GetByteCount(continuingPrefix);
    private bool _joinAtMetaspace;

    /// <param name="file">The whole file, already known to be valid JSON.</param>
    public BpeMerges Read(ReadOnlySpan<byte> file)
    {
        Utf8JsonReader reader = new(file[model.MergesAt..]);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new InvalidDataException($"\"model.merges\" is {reader.TokenType}; expected an array.");

        List<(int Left, int Right, int Rank, int Merged)> merges = [];
        for (int rank = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; rank++)
        {
            (int left, int right) = ReadPair(ref reader, rank);
            int merged = Join(left, right, rank);
            if (!special.Contains(merged)) // text must never become a special token by merging
                merges.Add((left, right, rank, merged));
        }

        MergeTable table = new(merges.Count);
        foreach ((int left, int right, int rank, int merged) in merges)
            table.Add(left, right, rank, merged);
        return new BpeMerges(table, _joinAtMetaspace);
    }

    private (int Left, int Right) ReadPair(ref Utf8JsonReader reader, int rank)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            ReadOnlySpan<byte> line = model.Unescape(ref reader, "model.merges");
            int space = line.IndexOf((byte)' ');
            if (space <= 0 || space == line.Length - 1 || line[(space + 1)..].Contains((byte)' '))
                throw new InvalidDataException($"\"model.merges[{rank}]\" is \"{Show(line)}\"; expected two tokens with one space between.");
            return (Find(line[..space], rank), Find(line[(space + 1)..], rank));
        }

        if (reader.TokenType != JsonTokenType.StartArray)
            throw new InvalidDataException($"\"model.merges[{rank}]\" is {reader.TokenType}; expected a string or a pair of strings.");
        int left = ReadSide(ref reader, rank);
        int right = ReadSide(ref reader, rank);
        if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
            throw new InvalidDataException($"\"model.merges[{rank}]\" has more than two tokens.");
        return (left, right);
    }

    private int ReadSide(ref Utf8JsonReader reader, int rank)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.String)
            throw new InvalidDataException($"\"model.merges[{rank}]\" is not a pair of strings.");
        return Find(model.Unescape(ref reader, "model.merges"), rank);
    }

    private int Find(ReadOnlySpan<byte> token, int rank) => model.Vocabulary.Find(token) is >= 0 and int id
        ? id
        : throw new InvalidDataException($"\"model.merges[{rank}]\" names \"{Show(token)}\", which is not in \"model.vocab\".");

    private int Join(int left, int right, int rank)
    {
        ReadOnlySpan<byte> head = model.Vocabulary.Content(left);
        ReadOnlySpan<byte> tail = model.Vocabulary.Content(right);
        if (tail.Length < _prefixLength)
            throw new InvalidDataException($"\"model.merges[{rank}]\": \"{Show(tail)}\" is shorter than the continuing prefix.");
        _joinAtMetaspace |= tail.StartsWith("▁"u8) && !head.EndsWith("▁"u8);
        tail = tail[_prefixLength..];
        head.CopyTo(_joined);
        tail.CopyTo(_joined.AsSpan(head.Length));
        return Find(_joined.AsSpan(0, head.Length + tail.Length), rank);
    }

    private static string Show(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, 60)]);
}
