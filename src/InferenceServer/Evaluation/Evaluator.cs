using System.Text;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Hosting;

namespace InferenceServer.Evaluation;

/// <summary>Asks golden questions greedily, many at a time, the way clients would: template, tokenizer, engine, detokenizer.</summary>
internal static class Evaluator
{
    private const int MaxAnswerTokens = 64; // the longest golden answer has about 50
    private const int Concurrency = 16;

    public static async Task<EvaluationReport> RunAsync(ServedModel model, IReadOnlyList<GoldenQuestion> questions, CancellationToken cancellation)
    {
        ModelRegistry registry = new(model.Id);
        registry.Publish(model);
        GenerationPipeline pipeline = new(registry);
        GoldenAnswer[] answers = new GoldenAnswer[questions.Count];
        await Parallel.ForAsync(0, questions.Count, new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellation },
            async (i, token) => answers[i] = await AskAsync(pipeline, questions[i], token));
        return new EvaluationReport(answers);
    }

    private static async Task<GoldenAnswer> AskAsync(GenerationPipeline pipeline, GoldenQuestion question, CancellationToken cancellation)
    {
        (TextGeneration? started, RequestRejected? rejection) = pipeline.Start(new GenerationRequest
        {
            RequestId = "eval-" + question.Id,
            Prompt = new Prompt.Chat(question.Messages, null, null),
            Sampling = new SamplingOverrides { Temperature = 0 },
            MaxTokens = MaxAnswerTokens,
        });
        if (started is null) return new GoldenAnswer(question, $"(refused: {rejection!.Message})");
        using TextGeneration generation = started;
        StringBuilder answer = new();
        while (await generation.WaitAsync(cancellation))
        {
            while (generation.TryRead(out TextEvent text)) answer.Append(text.Text);
        }

        return new GoldenAnswer(question, answer.ToString());
    }
}

/// <summary>A question and what the model said.</summary>
internal sealed record GoldenAnswer(GoldenQuestion Question, string Answer)
{
    public bool IsRight { get; } = Question.IsRight(Answer);
}
