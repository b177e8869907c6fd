using System.Text.Json.Nodes;

namespace InferenceServer.Soak;

/// <summary>
/// Requests whose answer must not depend on who else is there. Each was asked alone before the storm; in the storm the answer must be the
/// same, letter for letter: batched with strangers, preempted, on a cached prefix, streamed or not.
/// </summary>
internal sealed class Sentinels(ApiClient client, PromptBook book)
{
    private readonly List<(string Path, JsonObject Body, Answer Alone)> _recorded = [];
    private int _compared;

    /// <summary>Answers that were compared with what was recorded.</summary>
    public int Compared => Volatile.Read(ref _compared);

    public int Count => _recorded.Count;

    public IEnumerable<Scenario> Scenarios =>
    [
        new("sentinel", 80, (random, cancellation) => CompareAsync(random.Next(_recorded.Count), streamed: false, cancellation)),
        new("sentinel_streamed", 80, (random, cancellation) => CompareAsync(random.Next(_recorded.Count), streamed: true, cancellation)),
    ];

    /// <exception cref="SoakException">The server does not answer them, or not the same way twice when alone.</exception>
    public async Task RecordAsync(CancellationToken cancellation)
    {
        foreach ((string path, JsonObject body) in Bodies())
        {
            Answer alone = await client.AskAsync(path, body, null, cancellation);
            if (alone.Status != 200) throw new SoakException($"A sentinel was answered {alone.Status}: {alone.ErrorMessage}");
            _recorded.Add((path, body, alone));
        }

        if (await CompareAllAsync(cancellation) is { } difference) throw new SoakException("Without any storm, " + difference);
    }

    /// <summary>Each once more, both ways, one after another; null when all are the same.</summary>
    public async Task<string?> CompareAllAsync(CancellationToken cancellation)
    {
        for (int i = 0; i < _recorded.Count; i++)
        {
            if ((await CompareAsync(i, streamed: false, cancellation) ?? await CompareAsync(i, streamed: true, cancellation)) is { } difference) return difference;
        }

        return null;
    }

    private async Task<string?> CompareAsync(int index, bool streamed, CancellationToken cancellation)
    {
        (string path, JsonObject body, Answer alone) = _recorded[index];
        if (streamed)
        {
            body = (JsonObject)body.DeepClone();
            body["stream"] = true;
            body["stream_options"] = new JsonObject { ["include_usage"] = true };
        }

        Answer answer = await client.AskAsync(path, body, null, cancellation);
        if (answer.Status != 200 || !answer.Complete) return $"sentinel {index} was answered {answer.Status}, complete: {answer.Complete} ({answer.ErrorMessage})";
        Interlocked.Increment(ref _compared);
        return answer.DifferenceFrom(alone) is { } difference ? $"sentinel {index}: {difference}" : null;
    }

    private IEnumerable<(string Path, JsonObject Body)> Bodies()
    {
        Random random = new(7); // the sentinels are the same whatever the storm's seed
        string[] questions = ["What is a KV cache?", "What does 429 mean?", "Why is my first token slow?", "hello", "What is 3 plus 4?"];
        foreach (string question in questions) yield return Chat(question, 24, random, null);
        yield return Chat(PromptBook.Filler(random, 300) + "What is a token?", 24, random, null);
        yield return Chat("Explain a paged KV cache.", 120, random, null);
        for (int seed = 1; seed <= 4; seed++) yield return Chat(questions[seed], 24, random, seed);
        (string path, JsonObject several) = Chat("Tell me about preemption.", 16, random, 99);
        several["n"] = 3;
        yield return (path, several);
        yield return Completion(JsonValue.Create("The server"), 24, null);
        yield return Completion(JsonValue.Create("The server"), 24, 12345);
        yield return Completion(new JsonArray([.. Enumerable.Range(0, 50).Select(_ => JsonValue.Create(random.Next(2000)))]), 16, null);
    }

    private (string Path, JsonObject Body) Chat(string question, int maxTokens, Random random, int? seed)
    {
        JsonArray messages = [PromptBook.Message("user", question)];
        if (random.Next(2) == 0) messages.Insert(0, PromptBook.Message("system", "You are a careful assistant."));
        return ("v1/chat/completions", Sampled(new JsonObject { ["model"] = book.Model, ["messages"] = messages, ["max_tokens"] = maxTokens }, seed));
    }

    private (string Path, JsonObject Body) Completion(JsonNode prompt, int maxTokens, int? seed) =>
        ("v1/completions", Sampled(new JsonObject { ["model"] = book.Model, ["prompt"] = prompt, ["max_tokens"] = maxTokens }, seed));

    private static JsonObject Sampled(JsonObject body, int? seed)
    {
        body["temperature"] = seed is null ? 0 : 0.9;
        if (seed is { } value) body["seed"] = value;
        return body;
    }
}
