using System.Text.Json;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>Reads "model.merges": strings "left right" or pairs ["left","right"].</summary>
internal sealed class MergesReader(ModelSection model, string continuingPrefix, IReadOnlySet<int> special)
{
    private readonly MergeBuilder _merges = new(model.Vocabulary, "model.merges", "model.vocab", continuingPrefix, special);

    /// <param name="file">The whole file, already known to be valid JSON.</param>
    public BpeMerges Read(ReadOnlySpan<byte> file)
    {
        Utf8JsonReader reader = new(file[model.MergesAt..]);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new InvalidDataException($"\"model.merges\" is {reader.TokenType}; expected an array.");

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.String)
                _merges.Add(model.Unescape(ref reader, "model.merges"));
            else
                ReadPair(ref reader);
        }

        return _merges.Build();
    }

    private void ReadPair(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw _merges.Expected($"is {reader.TokenType}; expected a string or a pair of strings.");
        int left = ReadSide(ref reader);
        int right = ReadSide(ref reader);
        if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
            throw _merges.Expected("has more than two tokens.");
        _merges.Add(left, right);
    }

    private int ReadSide(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.String)
            throw _merges.Expected("is not a pair of strings.");
        return _merges.Find(model.Unescape(ref reader, "model.merges"));
    }
}
