using System.Text;
using System.Text.Json.Nodes;

namespace InferenceServer.Soak;

/// <summary>Well-formed bodies with random contents. Thread-safe: all state is the caller's random numbers.</summary>
internal sealed class PromptBook(string model)
{
    private static readonly string[] Questions =
    [
        "What is a KV cache?", "What does 429 mean?", "How do I set a budget?", "Why is the first token slow?", "What is continuous batching?",
        "Explain a paged KV cache.", "hello", "What is 7 plus 5?", "How do I stop the server?", "What is a token?", "Which port does gRPC use?", "Tell me about preemption.",
    ];

    private static readonly string[] Systems =
    [
        "You are a careful assistant.",
        "You are the help desk of an inference server. Answer briefly, in plain words, and say so when you do not know. Never invent option names.",
        "Answer in JSON.",
    ];

    private static readonly string[] Words = "block token cache step queue batch prompt prefill decode stream model server client answer memory pool budget limit thread core".Split(' ');

    public string Model => model;

    public JsonObject Chat(Random random, string? content = null)
    {
        JsonArray messages = [];
        if (random.Next(2) == 0) messages.Add(Message("system", Systems[random.Next(Systems.Length)]));
        if (random.Next(4) == 0)
        {
            messages.Add(Message("user", Question(random)));
            messages.Add(Message("assistant", Filler(random, random.Next(1, 60))));
        }

        messages.Add(Message("user", content ?? Question(random)));
        return Sampled(new JsonObject { ["model"] = model, ["messages"] = messages, ["max_tokens"] = random.Next(1, 25) }, random);
    }

    public JsonObject Completion(Random random)
    {
        JsonNode prompt = random.Next(3) == 0
            ? new JsonArray([.. Enumerable.Range(0, random.Next(1, 80)).Select(_ => JsonValue.Create(random.Next(0, 2000)))])
            : JsonValue.Create(Question(random));
        return Sampled(new JsonObject { ["model"] = model, ["prompt"] = prompt, ["max_tokens"] = random.Next(1, 25) }, random);
    }

    public static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    public static string Question(Random random) =>
        random.Next(4) == 0 ? Filler(random, random.Next(1, 120)) : Questions[random.Next(Questions.Length)];

    /// <summary>So many words, about as many tokens.</summary>
    public static string Filler(Random random, int words)
    {
        StringBuilder text = new();
        for (int i = 0; i < words; i++) text.Append(Words[random.Next(Words.Length)]).Append(' ');
        return text.ToString();
    }

    private static JsonObject Sampled(JsonObject body, Random random)
    {
        if (random.Next(2) == 0) body["temperature"] = Math.Round(random.NextDouble() * 2, 2);
        if (random.Next(3) == 0) body["top_p"] = Math.Round(0.1 + random.NextDouble() * 0.9, 2);
        if (random.Next(4) == 0) body["top_k"] = random.Next(1, 100);
        if (random.Next(5) == 0) body["min_p"] = 0.05;
        if (random.Next(4) == 0) body["seed"] = random.NextInt64();
        if (random.Next(5) == 0) body["presence_penalty"] = 1.5;
        if (random.Next(5) == 0) body["repetition_penalty"] = 1.2;
        if (random.Next(6) == 0) body["logit_bias"] = new JsonObject { ["17"] = -100, ["200"] = 3 };
        if (random.Next(4) == 0) body["ignore_eos"] = true;
        return body;
    }
}
