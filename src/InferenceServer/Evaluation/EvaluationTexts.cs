using InferenceServer.Core.Requests;
using InferenceServer.Core.Text;
using InferenceServer.Generation;
using InferenceServer.Hosting;

namespace InferenceServer.Evaluation;

/// <summary>What models are compared over, as tokens.</summary>
internal static class EvaluationTexts
{
    /// <summary>Tokens of a window, unless the model's context is shorter: llama-perplexity's.</summary>
    private const int Window = 512;

    private const int MaxAnswerTokens = 64; // as the evaluator's
    private const int Concurrency = 16;

    /// <summary>For models that come with no texts: what a chat and a program look like, without anybody's rights in them.</summary>
    private static readonly string[] BuiltIn =
    [
        "The river rose in the night. By morning the lower fields were under water, and the two brothers who farmed them stood on the bridge and counted "
        + "the fence posts that still showed. There had been eleven floods in their grandfather's time, he used to say, and each had left the soil better than it found it. "
        + "Neither of them spoke of that now. They went home, made coffee, and telephoned the insurance company.",
        "A cache keeps what was expensive to compute close to where it is needed again. It is correct only as long as everything that the result depends on is part of the key. "
        + "Most bugs in caches are therefore bugs in keys: a value was computed from three things and stored under two of them. The other half are bugs of time, "
        + "where something changed and nobody told the cache.",
        "Question: A train leaves at 9:40 and arrives at 13:05. How long does the journey take?\nAnswer: From 9:40 to 13:05 there are 3 hours and 25 minutes.\n\n"
        + "Question: What is the capital of Portugal?\nAnswer: Lisbon.\n\nQuestion: Name three primary colours.\nAnswer: Red, yellow and blue.\n",
        "def mean(values):\n    \"\"\"The arithmetic mean; raises ValueError if there is nothing to average.\"\"\"\n    if not values:\n        raise ValueError(\"no values\")\n"
        + "    return sum(values) / len(values)\n\n\nfor name, row in table.items():\n    print(f\"{name}: {mean(row):.2f}\")\n",
        "Once upon a time there was a little girl who had a red ball. She played with it in the park every day. One day the ball rolled into the pond, and she was sad. "
        + "A kind dog saw it, jumped into the water and brought the ball back. The girl hugged the dog and said thank you. From then on they were friends.",
    ];

    /// <summary>Golden questions through the chat template, each with the answer that the model itself gives: texts of the kind that it was made for.</summary>
    public static async Task<IReadOnlyList<ScoredText>> FromGoldensAsync(RecordedModel model, IReadOnlyList<GoldenQuestion> questions, CancellationToken cancellation)
    {
        ScoredText[] texts = new ScoredText[questions.Count];
        await Parallel.ForAsync(0, questions.Count, new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellation }, async (i, token) =>
        {
            (int[]? prompt, RequestRejected? rejection) = GenerationPipeline.EncodePrompt(model.Served, new Prompt.Chat(questions[i].Messages, null, null));
            if (prompt is null) throw new StartupException($"Golden question '{questions[i].Id}' was refused: {rejection!.Message}");
            texts[i] = new ScoredText([.. prompt, .. await model.ContinueAsync(prompt, MaxAnswerTokens, token)], FirstScored: 1);
        });
        return texts;
    }

    /// <summary>
    /// A text cut into windows that are each begun by the tokenizer's first special token (BOS) where it adds one. Only the second half of a window counts,
    /// for which there is context enough; what is left after the last whole window does not. The same predictions as llama-perplexity's.
    /// </summary>
    /// <exception cref="StartupException">The file cannot be read, or is too short.</exception>
    public static IReadOnlyList<ScoredText> FromFile(ServedModel model, string path)
    {
        List<int> ids = [];
        try
        {
            model.Tokenizer.Encode(File.ReadAllText(path), new EncodeOptions(), ids);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"--text '{path}' cannot be read: {e.Message}", e);
        }

        int window = Math.Min(Window, model.ContextLength);
        if (ids.Count < window) throw new StartupException($"--text '{path}' has {ids.Count} tokens; at least {window} are needed.");
        int? begin = model.Tokenizer.IsSpecial(ids[0]) ? ids[0] : null;
        return [.. ids.Chunk(window).Where(chunk => chunk.Length == window).Select(chunk => new ScoredText([begin ?? chunk[0], .. chunk[1..]], window / 2 + 1))];
    }

    public static IReadOnlyList<ScoredText> FromBuiltIn(ServedModel model)
    {
        List<ScoredText> texts = [];
        foreach (string text in BuiltIn)
        {
            List<int> ids = [];
            model.Tokenizer.Encode(text, new EncodeOptions(), ids);
            texts.Add(new ScoredText([.. ids.Take(model.ContextLength)], FirstScored: 1));
        }

        return texts;
    }
}
