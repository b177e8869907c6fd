using System.Text;
using System.Text.Json.Nodes;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Tables made of other people's tokenizer files, as llama.cpp's converter makes them.</summary>
internal static class ConvertedTables
{
    /// <summary>Pieces, scores and types of a SentencePiece model, with the added tokens of the tokenizer.json beside it.</summary>
    public static TokenizerTables OfSentencePiece(string modelPath, string jsonPath)
    {
        List<string> tokens = [];
        List<float> scores = [];
        List<int> types = [];
        foreach ((string text, float score, int type) in Pieces(File.ReadAllBytes(modelPath)))
        {
            tokens.Add(text);
            scores.Add(score);
            types.Add(type);
        }

        foreach (JsonNode? added in JsonNode.Parse(File.ReadAllText(jsonPath))!["added_tokens"]!.AsArray())
        {
            int id = added!["id"]!.GetValue<int>();
            string text = added["content"]!.GetValue<string>();
            int type = added["special"]!.GetValue<bool>() ? 3 : 4;
            while (tokens.Count <= id)
            {
                tokens.Add($"[PAD{tokens.Count}]");
                scores.Add(-10_000);
                types.Add(5);
            }

            if (types[id] is 2 or 3 && tokens[id] == text)
                continue;
            (tokens[id], scores[id], types[id]) = (text, -1_000, type);
        }

        return new TokenizerTables { Source = modelPath, Model = "llama", Pre = "default", Tokens = tokens, Scores = scores, Types = types, BosToken = 1, EosToken = 2, UnknownToken = 0 };
    }

    /// <summary>Vocabulary, merges and added tokens of a byte-level tokenizer.json.</summary>
    public static TokenizerTables OfByteLevel(string jsonPath, string? pre, string? bos = null, int padTo = 0)
    {
        JsonNode file = JsonNode.Parse(File.ReadAllText(jsonPath))!;
        SortedDictionary<int, (string Text, int Type)> entries = [];
        foreach ((string text, JsonNode? id) in file["model"]!["vocab"]!.AsObject())
            entries[id!.GetValue<int>()] = (text, 1);
        foreach (JsonNode? added in file["added_tokens"]!.AsArray())
            entries[added!["id"]!.GetValue<int>()] = (added["content"]!.GetValue<string>(), added["special"]!.GetValue<bool>() ? 3 : 4);
        int count = Math.Max(padTo, entries.Keys.Max() + 1);
        string[] tokens = [.. Enumerable.Range(0, count).Select(id => entries.TryGetValue(id, out (string Text, int Type) entry) ? entry.Text : $"[PAD{id}]")];
        return new TokenizerTables
        {
            Source = jsonPath,
            Model = "gpt2",
            Pre = pre,
            Tokens = tokens,
            Types = [.. Enumerable.Range(0, count).Select(id => entries.TryGetValue(id, out (string Text, int Type) entry) ? entry.Type : 5)],
            Merges = [.. file["model"]!["merges"]!.AsArray().Select(static merge => merge is JsonArray pair ? $"{pair[0]} {pair[1]}" : merge!.GetValue<string>())],
            BosToken = bos is null ? null : Array.IndexOf(tokens, bos),
        };
    }

    /// <summary>Field 1 of a ModelProto, repeated: piece (1), score (2), type (3).</summary>
    private static List<(string Text, float Score, int Type)> Pieces(byte[] proto)
    {
        List<(string, float, int)> pieces = [];
        for (int at = 0; at < proto.Length;)
        {
            ulong tag = Varint(proto, ref at);
            if ((tag & 7) != 2)
                throw new InvalidDataException($"tag {tag} at {at}");
            int end = (int)Varint(proto, ref at);
            end += at;
            if (tag >> 3 == 1)
                pieces.Add(Piece(proto, at, end));
            at = end;
        }

        return pieces;
    }

    private static (string Text, float Score, int Type) Piece(byte[] proto, int at, int end)
    {
        (string text, float score, int type) = ("", 0, 1);
        while (at < end)
        {
            ulong tag = Varint(proto, ref at);
            if (tag >> 3 == 1)
            {
                int length = (int)Varint(proto, ref at);
                text = Encoding.UTF8.GetString(proto, at, length);
                at += length;
            }
            else if (tag >> 3 == 2)
            {
                score = BitConverter.ToSingle(proto, at);
                at += 4;
            }
            else
            {
                type = (int)Varint(proto, ref at);
            }
        }

        return (text, score, type);
    }

    private static ulong Varint(byte[] proto, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = proto[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
