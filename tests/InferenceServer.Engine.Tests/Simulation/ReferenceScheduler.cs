using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>What one choice gets when nobody interferes.</summary>
internal sealed record ReferenceChoice(int[] Tokens, float[] Logprobs, FinishReason Reason);

/// <summary>What one request gets when nobody interferes: no rejection, and these choices.</summary>
internal sealed record ReferenceOutcome
{
    /// <summary>Null: accepted.</summary>
    public string? RejectionCode { get; init; }

    public ReferenceChoice[] Choices { get; init; } = [];

    /// <summary>(prompt) Null unless asked for, or when scoring failed.</summary>
    public PromptLogprob[]? PromptScores { get; init; }

    /// <summary>Its choices fail before the first token, because a prompt token could not be scored.</summary>
    public bool ScoringFails { get; init; }
}

/// <summary>
/// The plainest scheduler there is: one request at a time, one token at a time, a list for a history; no blocks, no batch,
/// no cache, no preemption. Whatever the engine does, each request must receive what it would receive here, or a prefix of it
/// where its caller, its deadline or a full queue cut it short.
/// </summary>
internal sealed class ReferenceScheduler(RunnerLimits limits, EngineOptions options, int failOneIn)
{
    private readonly int _capacity = Math.Min(limits.ContextLength, limits.BlockCount * limits.BlockSize);

    public ReferenceOutcome Run(EngineRequest request)
    {
        if (Reject(request) is { } code) return new ReferenceOutcome { RejectionCode = code };
        List<int> history = [.. request.PromptTokens];
        PromptLogprob[]? scores = request.Sampling.PromptLogprobs is { } alternatives ? Score(history, alternatives) : null;
        if (request.Sampling.PromptLogprobs is not null && scores is null)
        {
            ReferenceChoice failed = new([], [], FinishReason.Error);
            return new ReferenceOutcome { ScoringFails = true, Choices = [.. Enumerable.Repeat(failed, request.Choices)] };
        }

        ReferenceChoice[] choices = new ReferenceChoice[request.Choices];
        for (int choice = 0; choice < choices.Length; choice++) choices[choice] = Generate(request, choice);
        return new ReferenceOutcome { Choices = choices, PromptScores = scores };
    }

    private string? Reject(EngineRequest request)
    {
        int seats = Math.Min(options.MaxRunningSequences, Math.Min(limits.MaxSequencesPerStep, options.TokensPerStep ?? limits.MaxTokensPerStep));
        if (request.PromptTokens.Length == 0) return "invalid_prompt";
        if (request.Choices > seats) return "invalid_value";
        int least = request.PromptTokens.Length + (request.MaxTokens > 0 ? 1 : 0);
        return least > _capacity ? "context_length_exceeded" : null;
    }

    private PromptLogprob[]? Score(List<int> prompt, int alternatives)
    {
        PromptLogprob[] scores = new PromptLogprob[prompt.Count];
        scores[0] = new PromptLogprob(prompt[0], float.NaN, null);
        for (int i = 1; i < prompt.Count; i++)
        {
            ulong history = HashOf(prompt, i);
            if (FakeModel.Fails(history, 0, failOneIn * 10)) return null;
            scores[i] = new PromptLogprob(prompt[i], FakeModel.Score(history, prompt[i]), Top(history, alternatives));
        }

        return scores;
    }

    private ReferenceChoice Generate(EngineRequest request, int choice)
    {
        ulong seed = CounterRandom.ChoiceSeed(request.Sampling.Seed!.Value, choice);
        List<int> history = [.. request.PromptTokens];
        List<int> tokens = [];
        List<float> logprobs = [];
        int limit = Math.Min(request.MaxTokens, _capacity - request.PromptTokens.Length);
        while (tokens.Count < limit)
        {
            ulong hash = HashOf(history, history.Count);
            if (FakeModel.Fails(hash, seed, failOneIn)) return new ReferenceChoice([.. tokens], [.. logprobs], FinishReason.Error);
            FakeDraw draw = new(seed, history.Count, tokens.Count, FakeModel.Penalties(Counts(request, tokens)), request.Sampling.MinTokens, request.StopTokens);
            int token = FakeModel.Choose(hash, draw, limits.VocabularySize);
            history.Add(token);
            tokens.Add(token);
            logprobs.Add(request.Sampling.Logprobs ? FakeModel.Score(hash, token) : 0f);
            if (request.StopTokens.Contains(token)) return new ReferenceChoice([.. tokens], [.. logprobs], FinishReason.Stop);
        }

        return new ReferenceChoice([.. tokens], [.. logprobs], FinishReason.Length);
    }

    private static Dictionary<int, int>? Counts(EngineRequest request, List<int> tokens)
    {
        SamplingParameters sampling = request.Sampling;
        if ((sampling.FrequencyPenalty, sampling.PresencePenalty, sampling.RepetitionPenalty) == (0, 0, 1)) return null;
        Dictionary<int, int> counts = [];
        if (sampling.RepetitionPenalty != 1)
            foreach (int token in request.PromptTokens) counts[token] = 0;
        foreach (int token in tokens) counts[token] = counts.GetValueOrDefault(token) + 1;
        return counts;
    }

    private static TokenLogprob[]? Top(ulong history, int count)
    {
        if (count == 0) return null;
        TokenLogprob[] top = new TokenLogprob[count];
        for (int i = 0; i < count; i++) top[i] = new TokenLogprob(i, FakeModel.Score(history, i));
        return top;
    }

    private static ulong HashOf(List<int> tokens, int count)
    {
        ulong history = FakeModel.EmptyHistory;
        for (int i = 0; i < count; i++) history = FakeModel.Extend(history, tokens[i]);
        return history;
    }
}
