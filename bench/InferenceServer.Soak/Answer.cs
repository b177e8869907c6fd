using System.Text.Json;

namespace InferenceServer.Soak;

/// <summary>One answer, brought into the same form whether it was streamed or not. Texts and finish reasons by choice.</summary>
internal sealed class Answer(int status)
{
    public int Status { get; } = status;

    public string? Id { get; private set; }

    public List<string> Texts { get; } = [];

    public List<string?> FinishReasons { get; } = [];

    public int? CompletionTokens { get; private set; }

    /// <summary>Choices' entries with log-probabilities seen.</summary>
    public int Scored { get; private set; }

    /// <summary>The stream ended with [DONE], or the body was whole.</summary>
    public bool Complete { get; set; }

    public string? ErrorMessage { get; private set; }

    public string? ErrorCode { get; private set; }

    public string? ErrorParam { get; private set; }

    /// <summary>Reads a whole body, a chunk of a stream, or an error object.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public void Add(ReadOnlyMemory<byte> json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object) return;
        if (root.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.Object) AddError(error);
        if (root.TryGetProperty("id", out JsonElement id)) Id ??= id.GetString();
        if (root.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object) CompletionTokens = usage.GetProperty("completion_tokens").GetInt32();
        if (!root.TryGetProperty("choices", out JsonElement choices)) return;
        foreach (JsonElement choice in choices.EnumerateArray()) AddChoice(choice);
    }

    /// <summary>Null when both say the same; otherwise where they part.</summary>
    public string? DifferenceFrom(Answer other)
    {
        if (Texts.Count != other.Texts.Count) return $"{Texts.Count} choices instead of {other.Texts.Count}";
        for (int i = 0; i < Texts.Count; i++)
        {
            if (Texts[i] != other.Texts[i]) return $"choice {i} is '{Texts[i]}' instead of '{other.Texts[i]}'";
            if (FinishReasons[i] != other.FinishReasons[i]) return $"choice {i} finished by {FinishReasons[i]} instead of {other.FinishReasons[i]}";
        }

        return CompletionTokens == other.CompletionTokens ? null : $"{CompletionTokens} completion tokens instead of {other.CompletionTokens}";
    }

    private void AddError(JsonElement error)
    {
        ErrorMessage = error.GetProperty("message").GetString();
        ErrorCode = error.GetProperty("code").GetString();
        ErrorParam = error.GetProperty("param").GetString();
        _ = error.GetProperty("type").GetString(); // clients choose their exception by it
    }

    private void AddChoice(JsonElement choice)
    {
        int index = choice.GetProperty("index").GetInt32();
        while (Texts.Count <= index)
        {
            Texts.Add("");
            FinishReasons.Add(null);
        }

        JsonElement holder = choice.TryGetProperty("message", out JsonElement message) ? message : choice.TryGetProperty("delta", out JsonElement delta) ? delta : choice;
        if ((holder.TryGetProperty("content", out JsonElement text) || holder.TryGetProperty("text", out text)) && text.ValueKind == JsonValueKind.String) Texts[index] += text.GetString();
        if (choice.GetProperty("finish_reason") is { ValueKind: JsonValueKind.String } reason) FinishReasons[index] = reason.GetString();
        if (choice.TryGetProperty("logprobs", out JsonElement logprobs) && logprobs.ValueKind == JsonValueKind.Object)
            Scored += (logprobs.TryGetProperty("content", out JsonElement scored) || logprobs.TryGetProperty("tokens", out scored)) && scored.ValueKind == JsonValueKind.Array ? scored.GetArrayLength() : 0;
    }
}
