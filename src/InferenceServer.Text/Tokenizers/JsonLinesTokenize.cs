using System.Text;
using System.Text.Json;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Tokenizers;

/// <summary>
/// The <c>tokenize</c> command: a line <c>{"text": …, "add_special": true}</c> in, a line <c>{"ids": […]}</c> out. Special tokens in the text
/// are recognised, as by Hugging Face. A bad line gives <c>{"error": …}</c> in its place.
/// </summary>
public static class JsonLinesTokenize
{
    /// <summary>Reads to the end of <paramref name="input"/>; writes one line for each line read.</summary>
    public static void Run(ITokenizer tokenizer, TextReader input, TextWriter output)
    {
        List<int> ids = [];
        while (input.ReadLine() is { } line)
        {
            ids.Clear();
            string? error = Tokenize(tokenizer, line, ids);
            output.Write(error is null ? "{\"ids\":[" + string.Join(',', ids) + "]}" : ErrorLine(error));
            output.Write('\n');
        }

        output.Flush();
    }

    private static string? Tokenize(ITokenizer tokenizer, string line, List<int> ids)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            if (row.ValueKind != JsonValueKind.Object || !row.TryGetProperty("text", out JsonElement text) || text.ValueKind != JsonValueKind.String)
                return "Expected an object with a string \"text\" and, if wanted, a boolean \"add_special\".";

            bool addSpecial = true;
            if (row.TryGetProperty("add_special", out JsonElement add))
            {
                if (add.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
                    return "\"add_special\" must be true or false.";
                addSpecial = add.GetBoolean();
            }

            tokenizer.Encode(text.GetString()!, new EncodeOptions { AddSpecial = addSpecial, ParseSpecial = true }, ids);
            return null;
        }
        catch (JsonException e)
        {
            return "Not valid JSON: " + e.Message;
        }
        catch (InvalidOperationException e) // an escaped lone surrogate
        {
            return "The text is not valid Unicode: " + e.Message;
        }
    }

    private static string ErrorLine(string error)
    {
        using MemoryStream line = new();
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            writer.WriteString("error", error);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(line.ToArray());
    }
}
