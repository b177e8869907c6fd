using System.Text;
using System.Text.Json;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>
/// The "model" object of a tokenizer.json, read token by token: its vocabulary and merges are most of the file, and a document tree of
/// them would take many times the file's size.
/// </summary>
internal sealed class ModelSection
{
    private byte[] _scratch = new byte[256];

    /// <summary>Every field but vocab and merges.</summary>
    public FieldMap Fields { get; } = new("model");

    public Vocabulary Vocabulary { get; } = new();

    /// <summary>By id; only if "vocab" is an array, as Unigram has it.</summary>
    public List<double>? Scores { get; private set; }

    /// <summary>Where "merges" begins in the file; -1 if there are none.</summary>
    public int MergesAt { get; private set; } = -1;

    /// <summary>Reads the object that <paramref name="reader"/> stands on.</summary>
    public static ModelSection Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new InvalidDataException($"\"model\" is {reader.TokenType}; expected an object.");

        ModelSection section = new();
        bool hasVocabulary = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (name == "vocab")
            {
                section.ReadVocabulary(ref reader);
                hasVocabulary = true;
            }
            else if (name == "merges")
            {
                section.MergesAt = checked((int)reader.TokenStartIndex);
                reader.Skip();
            }
            else
            {
                section.Fields.Add(name, JsonElement.ParseValue(ref reader));
            }
        }

        if (!hasVocabulary)
            throw new InvalidDataException("\"model\" lacks \"vocab\".");
        section.Vocabulary.Seal();
        return section;
    }

    /// <summary>The bytes of the string that <paramref name="reader"/> stands on, valid until the next call.</summary>
    public ReadOnlySpan<byte> Unescape(ref Utf8JsonReader reader, string path)
    {
        if (!reader.ValueIsEscaped)
            return reader.ValueSpan;
        if (_scratch.Length < reader.ValueSpan.Length)
            _scratch = new byte[reader.ValueSpan.Length];
        try
        {
            return _scratch.AsSpan(0, reader.CopyString(_scratch));
        }
        catch (InvalidOperationException e) // an escaped lone surrogate
        {
            throw new InvalidDataException($"\"{path}\" holds text that is not valid Unicode.", e);
        }
    }

    private void ReadVocabulary(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.StartArray)
            ReadScoredPieces(ref reader);
        else if (reader.TokenType == JsonTokenType.StartObject)
            ReadIds(ref reader);
        else
            throw new InvalidDataException($"\"model.vocab\" is {reader.TokenType}; expected an object or an array.");
    }

    private void ReadIds(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> content = Unescape(ref reader, "model.vocab");
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int id) || id < 0)
                throw new InvalidDataException($"\"model.vocab\": the id of \"{Encoding.UTF8.GetString(content)}\" is not a whole number from 0 to 2147483647.");
            Vocabulary.Add(content, id);
        }
    }

    private void ReadScoredPieces(ref Utf8JsonReader reader)
    {
        Scores = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            string path = $"model.vocab[{Scores.Count}]";
            if (reader.TokenType != JsonTokenType.StartArray || !reader.Read() || reader.TokenType != JsonTokenType.String)
                throw new InvalidDataException($"\"{path}\" is not a pair of a piece and its score.");
            Vocabulary.Add(Unescape(ref reader, path), Scores.Count);
            if (!reader.Read() || reader.TokenType != JsonTokenType.Number || !reader.TryGetDouble(out double score) || !double.IsFinite(score))
                throw new InvalidDataException($"\"{path}\" has no number as its score.");
            Scores.Add(score);
            if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                throw new InvalidDataException($"\"{path}\" is not a pair of a piece and its score.");
        }
    }
}
