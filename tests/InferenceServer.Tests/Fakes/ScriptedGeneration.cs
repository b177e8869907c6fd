using System.Threading.Channels;
using InferenceServer.Core.Requests;

namespace InferenceServer.Tests.Fakes;

/// <summary>A request whose events a test writes itself.</summary>
internal sealed class ScriptedGeneration(EngineRequest request) : Core.Requests.Generation
{
    private readonly Channel<TokenEvent> _events = Channel.CreateUnbounded<TokenEvent>();
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public EngineRequest Request => request;

    public override string RequestId => request.RequestId;

    public override ChannelReader<TokenEvent> Events => _events.Reader;

    /// <summary>Completes when the caller cancels.</summary>
    public Task Cancelled => _cancelled.Task;

    public List<int> StoppedChoices { get; } = [];

    public override void Cancel()
    {
        _cancelled.TrySetResult();
        for (int choice = 0; choice < request.Choices; choice++) FinishChoice(choice, FinishReason.Cancelled);
        Finish();
    }

    public override void StopChoice(int choice) => StoppedChoices.Add(choice);

    /// <summary>The whole reply for every choice, choice i with i+1 in front where there are several.</summary>
    public void Answer(string reply)
    {
        Prompt();
        for (int choice = 0; choice < request.Choices; choice++)
        {
            int[] ids = ByteTokenizer.Ids(request.Choices == 1 ? reply : $"{choice + 1}{reply}");
            int emitted = Math.Min(ids.Length, request.MaxTokens);
            for (int i = 0; i < emitted; i++) Token(choice, ids[i]);
            bool ended = ids.Length < request.MaxTokens && request.StopTokens.Contains(ByteTokenizer.Eos);
            if (ended) Token(choice, ByteTokenizer.Eos);
            FinishChoice(choice, ended ? FinishReason.Stop : FinishReason.Length);
        }

        Finish();
    }

    public void Prompt()
    {
        if (request.Sampling.PromptLogprobs is not { } top) return;
        PromptLogprob[] tokens = [.. request.PromptTokens.Select((id, i) => new PromptLogprob(id, i == 0 ? float.NaN : -0.25f, i == 0 ? null : Top(id, top)))];
        _events.Writer.TryWrite(new TokenEvent { Kind = TokenEventKind.Prompt, PromptLogprobs = tokens });
    }

    public void Token(int choice, int id) => _events.Writer.TryWrite(new TokenEvent
    {
        Kind = TokenEventKind.Token,
        Choice = choice,
        Token = id,
        Logprob = request.Sampling.Logprobs ? -0.5f : float.NaN,
        TopLogprobs = request.Sampling.TopLogprobs > 0 ? Top(id, request.Sampling.TopLogprobs) : null,
    });

    public void Text(string text)
    {
        foreach (int id in ByteTokenizer.Ids(text)) Token(0, id);
    }

    public void FinishChoice(int choice, FinishReason reason, string? error = null) =>
        _events.Writer.TryWrite(new TokenEvent { Kind = TokenEventKind.ChoiceFinished, Choice = choice, FinishReason = reason, Error = error });

    public void Finish()
    {
        long now = TimeProvider.System.GetTimestamp();
        RequestSummary summary = new()
        {
            RequestId = request.RequestId,
            Tenant = request.Tenant,
            PromptTokens = request.PromptTokens.Length,
            CachedTokens = 3,
            Choices = request.Choices,
            ArrivedTimestamp = now - 300,
            ScheduledTimestamp = now - 200,
            FirstTokenTimestamp = now - 100,
            LastTokenTimestamp = now,
            FinishedTimestamp = now,
        };
        _events.Writer.TryWrite(new TokenEvent { Kind = TokenEventKind.Finished, Summary = summary });
        _events.Writer.TryComplete();
    }

    private static TokenLogprob[] Top(int id, int count) => [.. Enumerable.Range(0, count).Select(k => new TokenLogprob((id + k) % 256, -0.5f - k))];
}
