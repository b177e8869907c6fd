using InferenceServer.Core.Requests;
using Xunit;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>
/// Reads one request's stream and holds what came, checking the order of events as it reads:
/// the prompt first, tokens of a choice before its end, the request's end last.
/// </summary>
internal sealed class Received
{
    private readonly Generation _generation;
    private readonly bool _expectsPrompt;

    public Received(Generation generation, EngineRequest request)
    {
        _generation = generation;
        _expectsPrompt = request.Sampling.PromptLogprobs is not null;
        Tokens = [.. Enumerable.Range(0, request.Choices).Select(_ => new List<int>())];
        Logprobs = [.. Enumerable.Range(0, request.Choices).Select(_ => new List<float>())];
        Reasons = new FinishReason[request.Choices];
        Errors = new string?[request.Choices];
    }

    public Generation Generation => _generation;

    /// <summary>(choices)</summary>
    public List<int>[] Tokens { get; }

    public List<float>[] Logprobs { get; }

    public FinishReason[] Reasons { get; }

    public string?[] Errors { get; }

    public PromptLogprob[]? PromptScores { get; private set; }

    public RequestSummary? Summary { get; private set; }

    public bool Finished => Summary is not null;

    public int TokensTotal => Tokens.Sum(tokens => tokens.Count);

    /// <summary>Takes what is there now.</summary>
    public void Read()
    {
        while (_generation.Events.TryRead(out TokenEvent item)) Take(item);
    }

    /// <summary>Reads to the end, as a caller on another thread does.</summary>
    public async Task ReadToEndAsync(CancellationToken cancellation)
    {
        await foreach (TokenEvent item in _generation.Events.ReadAllAsync(cancellation)) Take(item);
        Assert.True(Finished, $"The stream of {_generation.RequestId} ended without a Finished event.");
    }

    private void Take(TokenEvent item)
    {
        Assert.False(Finished, "Nothing follows the Finished event.");
        switch (item.Kind)
        {
            case TokenEventKind.Prompt:
                Assert.True(PromptScores is null && TokensTotal == 0, "The prompt comes once, before the first token.");
                PromptScores = item.PromptLogprobs;
                break;
            case TokenEventKind.Token:
                Assert.Equal(FinishReason.None, Reasons[item.Choice]);
                Assert.Equal(_expectsPrompt, PromptScores is not null);
                Tokens[item.Choice].Add(item.Token);
                Logprobs[item.Choice].Add(item.Logprob);
                break;
            case TokenEventKind.ChoiceFinished:
                Assert.Equal(FinishReason.None, Reasons[item.Choice]);
                Assert.NotEqual(FinishReason.None, item.FinishReason);
                Reasons[item.Choice] = item.FinishReason;
                Errors[item.Choice] = item.Error;
                break;
            default:
                Assert.DoesNotContain(FinishReason.None, Reasons);
                Assert.Equal(Reasons.Max(), item.FinishReason);
                Summary = item.Summary;
                break;
        }
    }
}
