using System.Text;
using System.Text.Json;

namespace InferenceServer.LoadBench;

/// <summary>
/// Request bodies of a wanted length. Completions send token ids, so lengths are exact on any tokenizer; chat sends common English
/// words, about one token each, because a conversation has no other form.
/// </summary>
internal sealed class PromptWriter(BenchOptions options, string model)
{
    private const int TraceBlockTokens = 512; // what one hash id of the Mooncake traces stands for
    private const int LowestId = 300; // above the byte and control tokens of small vocabularies
    private const int IdRange = 200; // ids 300-499 exist in every vocabulary, a 512-token one included
    private static readonly string[] Words = ["time", "people", "way", "water", "day", "man", "work", "year", "part", "number", "sound", "place", "home", "name", "line", "end"];

    public byte[] Body(PlannedRequest request)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            json.WriteString("model", model);
            WritePrompt(json, request);
            json.WriteNumber("max_tokens", request.OutputTokens);
            json.WriteNumber("temperature", options.Temperature);
            json.WriteNumber("seed", request.Index);
            json.WriteBoolean("stream", true);
            json.WriteBoolean("ignore_eos", options.IgnoreEndOfSequence);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private void WritePrompt(Utf8JsonWriter json, PlannedRequest request)
    {
        int[] numbers = Numbers(request);
        if (!options.Chat)
        {
            json.WriteStartArray("prompt");
            foreach (int number in numbers) json.WriteNumberValue(LowestId + number % IdRange);
            json.WriteEndArray();
            return;
        }

        StringBuilder text = new();
        foreach (int number in numbers) text.Append(Words[number % Words.Length]).Append(' ');
        json.WriteStartArray("messages");
        json.WriteStartObject();
        json.WriteString("role", "user");
        json.WriteString("content", text.ToString());
        json.WriteEndObject();
        json.WriteEndArray();
    }

    /// <summary>Equal beginnings where requests share a prefix, numbers of the request's own behind it.</summary>
    private int[] Numbers(PlannedRequest request)
    {
        int[] numbers = new int[request.InputTokens];
        Random own = new(HashCode.Combine(options.Seed, request.Index));
        Random shared = new(options.Seed);
        for (int i = 0; i < numbers.Length; i++)
        {
            if (request.PrefixBlocks is { } blocks && i / TraceBlockTokens < blocks.Length)
                numbers[i] = (int)((ulong)(blocks[i / TraceBlockTokens] * 2_654_435_761L + i % TraceBlockTokens * 40_503L) % IdRange);
            else
                numbers[i] = i < options.SharedPrefix ? shared.Next(IdRange) : own.Next(IdRange);
        }

        return numbers;
    }
}
