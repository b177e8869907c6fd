using System.Text.Json.Nodes;

namespace InferenceServer.Soak;

/// <summary>Requests that must succeed; each answer is checked against what was asked for.</summary>
internal sealed class GoodRequests(ApiClient client, PromptBook book, BadInputs inputs)
{
    private const string ChatPath = "v1/chat/completions";
    private const string CompletionPath = "v1/completions";

    public IEnumerable<Scenario> Scenarios =>
    [
        new("chat", 80, (random, cancellation) => AskAsync(ChatPath, book.Chat(random), random, cancellation)),
        new("chat_streamed", 90, (random, cancellation) => AskAsync(ChatPath, Streamed(book.Chat(random)), random, cancellation)),
        new("completion", 50, (random, cancellation) => AskAsync(CompletionPath, book.Completion(random), random, cancellation)),
        new("completion_streamed", 50, (random, cancellation) => AskAsync(CompletionPath, Streamed(book.Completion(random)), random, cancellation)),
        new("choices", 20, ChoicesAsync),
        new("logprobs", 25, LogprobsAsync),
        new("stop", 25, StopAsync),
        new("echo", 25, EchoAsync),
        new("naughty", 60, NaughtyAsync),
        new("state", 25, StateAsync),
    ];

    private static JsonObject Streamed(JsonObject body)
    {
        body["stream"] = true;
        body["stream_options"] = new JsonObject { ["include_usage"] = true };
        return body;
    }

    private static JsonObject MaybeStreamed(JsonObject body, Random random) => random.Next(2) == 0 ? Streamed(body) : body;

    private Task<string?> ChoicesAsync(Random random, CancellationToken cancellation)
    {
        JsonObject body = MaybeStreamed(random.Next(2) == 0 ? book.Chat(random) : book.Completion(random), random);
        body["n"] = random.Next(2, 5);
        body["temperature"] = 1;
        return AskAsync(body.ContainsKey("messages") ? ChatPath : CompletionPath, body, random, cancellation);
    }

    private async Task<string?> LogprobsAsync(Random random, CancellationToken cancellation)
    {
        bool chat = random.Next(2) == 0;
        JsonObject body = MaybeStreamed(chat ? book.Chat(random) : book.Completion(random), random);
        body["logprobs"] = chat ? true : random.Next(0, 6);
        if (chat) body["top_logprobs"] = random.Next(0, 21);
        (Answer answer, string? wrong) = await SendAsync(chat ? ChatPath : CompletionPath, body, random, cancellation);
        // A token that ends the answer has no text, and so no entry.
        return wrong ?? (answer.Scored >= answer.CompletionTokens - 1 ? null : $"{answer.Scored} tokens with log-probabilities of {answer.CompletionTokens}");
    }

    private async Task<string?> StopAsync(Random random, CancellationToken cancellation)
    {
        string stop = random.Next(3) switch { 0 => "e", 1 => " the", _ => "." };
        JsonObject body = MaybeStreamed(book.Chat(random), random);
        body["stop"] = random.Next(2) == 0 ? stop : new JsonArray(stop, "\n\n");
        (Answer answer, string? wrong) = await SendAsync(ChatPath, body, random, cancellation);
        return wrong ?? (answer.Texts[0].Contains(stop, StringComparison.Ordinal) ? $"the stop string '{stop}' is in '{answer.Texts[0]}'" : null);
    }

    /// <summary>The prompt is unlike any other, so that an echo of somebody else's shows.</summary>
    private async Task<string?> EchoAsync(Random random, CancellationToken cancellation)
    {
        string prompt = $"caller {random.NextInt64()} says {PromptBook.Filler(random, random.Next(1, 20))}";
        JsonObject body = MaybeStreamed(new JsonObject { ["model"] = book.Model, ["prompt"] = prompt, ["echo"] = true, ["max_tokens"] = random.Next(0, 8) }, random);
        (Answer answer, string? wrong) = await SendAsync(CompletionPath, body, random, cancellation);
        return wrong ?? (answer.Texts[0].StartsWith(prompt, StringComparison.Ordinal) ? null : $"asked to echo '{prompt}', got '{answer.Texts[0]}'");
    }

    private Task<string?> NaughtyAsync(Random random, CancellationToken cancellation)
    {
        string naughty = inputs.NaughtyStrings[random.Next(inputs.NaughtyStrings.Count)];
        JsonObject body = MaybeStreamed(book.Chat(random, naughty), random);
        body["user"] = naughty;
        body["max_tokens"] = random.Next(1, 5);
        return AskAsync(ChatPath, body, random, cancellation);
    }

    private async Task<string?> StateAsync(Random random, CancellationToken cancellation)
    {
        string path = new[] { "metrics", "health", "v1/models", "version", "openapi.json" }[random.Next(5)];
        (int status, string text) = await client.GetAsync(path, cancellation);
        return status == 200 && (path == "health" || text.Length > 0) ? null : $"GET /{path} answered {status} with {text.Length} characters";
    }

    private async Task<string?> AskAsync(string path, JsonObject body, Random random, CancellationToken cancellation) =>
        (await SendAsync(path, body, random, cancellation)).Wrong;

    private async Task<(Answer Answer, string? Wrong)> SendAsync(string path, JsonObject body, Random random, CancellationToken cancellation)
    {
        string id = $"soak-{random.NextInt64():x}";
        Answer answer = await client.AskAsync(path, body, id, cancellation);
        string? wrong = Check(answer, body, id);
        return (answer, wrong is null ? null : $"{wrong}; asked {Shown(body)}");
    }

    private static string? Check(Answer answer, JsonObject body, string id)
    {
        int choices = body["n"]?.GetValue<int>() ?? 1, maxTokens = body["max_tokens"]!.GetValue<int>();
        if (answer.Status != 200) return $"answered {answer.Status} ({answer.ErrorMessage})";
        if (answer.ErrorMessage is { } error) return $"failed within the stream: {error}";
        if (!answer.Complete) return "the stream ended without [DONE]";
        if (answer.Id?.EndsWith(id, StringComparison.Ordinal) != true) return $"the answer is of request {answer.Id}, not of {id}";
        if (answer.Texts.Count != choices) return $"{answer.Texts.Count} choices";
        if (answer.FinishReasons.Any(reason => reason is not ("stop" or "length"))) return $"finish reasons {string.Join(", ", answer.FinishReasons)}";
        return answer.CompletionTokens is { } tokens && tokens <= choices * maxTokens ? null : $"{answer.CompletionTokens} completion tokens";
    }

    private static string Shown(JsonObject body)
    {
        string text = body.ToJsonString();
        return text.Length > 400 ? text[..400] + "…" : text;
    }
}
