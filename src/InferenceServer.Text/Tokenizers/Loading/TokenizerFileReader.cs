using System.Text;
using System.Text.Json;
using InferenceServer.Text.Tokenizers.Added;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>Reads a whole tokenizer.json. "truncation" and "padding" are ignored: a server never cuts a prompt silently.</summary>
internal static class TokenizerFileReader
{
    /// <exception cref="InvalidDataException">Anything the file lacks or gets wrong, named by field.</exception>
    /// <exception cref="JsonException">Not JSON.</exception>
    public static TokenizerParts Read(ReadOnlySpan<byte> file)
    {
        (FieldMap fields, ModelSection model) = ReadSections(file);
        List<AddedToken> added = AddedTokens(fields["added_tokens"], model.Vocabulary);
        HashSet<int> special = [.. added.Where(static token => token.Special).Select(static token => token.Id)];
        bool byteLevel = PreTokenizerReader.EndsInByteLevel(fields["pre_tokenizer"]);
        TokenizerParts parts = new()
        {
            Vocabulary = model.Vocabulary,
            Model = ModelReader.Read(model, file, byteLevel, special),
            Decoder = DecoderReader.Read(fields["decoder"]),
            Added = added,
            Normalizer = NormalizerReader.Read(fields["normalizer"]),
            PreTokenizer = PreTokenizerReader.Read(fields["pre_tokenizer"]),
            Frame = PostProcessorReader.Read(fields["post_processor"]),
        };
        foreach (int id in parts.Frame.Before.Concat(parts.Frame.After))
            if (!model.Vocabulary.Contains(id) && !added.Exists(token => token.Id == id))
                throw new InvalidDataException($"\"post_processor\" names the id {id}, which no token has.");
        return parts;
    }

    private static (FieldMap Fields, ModelSection Model) ReadSections(ReadOnlySpan<byte> file)
    {
        Utf8JsonReader reader = new(file);
        FieldMap fields = new("");
        ModelSection? model = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new InvalidDataException($"The file is {reader.TokenType}; expected an object with \"model\", \"added_tokens\" and so on.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (name == "model")
                model = ModelSection.Read(ref reader);
            else
                fields.Add(name, JsonElement.ParseValue(ref reader));
        }

        reader.Read(); // anything behind the object is an error
        return (fields, model ?? throw new InvalidDataException("The file lacks \"model\"."));
    }

    private static List<AddedToken> AddedTokens(JsonField field, Vocabulary vocabulary)
    {
        List<AddedToken> tokens = [];
        if (field.IsNull)
            return tokens;

        List<JsonField> items = field.Items();
        // As in the vocabulary: ids may have holes, but not without measure, because tables are as long as the highest id.
        long idsMost = 2L * (vocabulary.Size + items.Count) + 65_536;
        foreach (JsonField item in items)
        {
            string content = item.Required("content").AsString();
            int id = item.Required("id").AsInt();
            if (id >= idsMost)
                throw item["id"].Expected($"an id near the {vocabulary.Size} tokens of \"model.vocab\"");
            if (content.Length == 0)
                continue;
            bool special = item["special"].BoolOr(false);
            tokens.Add(new AddedToken
            {
                // The model's own id wins, as in Hugging Face's loader.
                Id = vocabulary.Find(Encoding.UTF8.GetBytes(content)) is >= 0 and int known ? known : id,
                Content = content,
                Special = special,
                Normalized = item["normalized"].BoolOr(!special),
                SingleWord = item["single_word"].BoolOr(false),
                LeftStrip = item["lstrip"].BoolOr(false),
                RightStrip = item["rstrip"].BoolOr(false),
            });
        }

        return tokens;
    }
}
