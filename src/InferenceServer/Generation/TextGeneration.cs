using InferenceServer.Core.Requests;
using InferenceServer.Core.Text;
using InferenceServer.Hosting;
using InferenceServer.Telemetry;
using InferenceServer.Text.Stopping;

namespace InferenceServer.Generation;

/// <summary>
/// The running request as text: detokenizes each choice, ends it at stop strings, counts what it delivered.
/// One reader; disposing it early cancels the request and frees its blocks within a step.
/// </summary>
internal sealed class TextGeneration : IDisposable
{
    private readonly Core.Requests.Generation _generation;
    private readonly ChoiceText[] _choices;
    private readonly IReadOnlyList<int> _endTokens;
    private readonly RequestActivity _activity;
    private readonly RunningRequests? _running;
    private volatile bool _aborted;
    private bool _finished;

    /// <param name="model">Who answers.</param>
    /// <param name="request">As the door read it.</param>
    /// <param name="promptTokens">The prompt in ids.</param>
    /// <param name="generation">The engine's side of it.</param>
    /// <param name="running">Knows it until it ends or is disposed.</param>
    public TextGeneration(ServedModel model, GenerationRequest request, int[] promptTokens, Core.Requests.Generation generation, RunningRequests? running = null)
    {
        Model = model;
        Request = request;
        PromptTokens = promptTokens;
        _generation = generation;
        _activity = new RequestActivity(model.Id, request.RequestId);
        _endTokens = request.IgnoreEndOfSequence ? request.StopTokens : [.. model.EndTokens, .. request.StopTokens];
        _choices = new ChoiceText[request.Choices];
        for (int i = 0; i < _choices.Length; i++)
            _choices[i] = new ChoiceText(model.Tokenizer.CreateDetokenizer(request.SkipSpecialTokens, promptTokens), new StopStringMatcher(request.StopStrings, request.IncludeStopString));
        _running = running;
        running?.Add(this);
    }

    public ServedModel Model { get; }

    public GenerationRequest Request { get; }

    public int[] PromptTokens { get; }

    /// <summary>Tokens delivered so far over all choices, stop tokens included: what usage reports.</summary>
    public int CompletionTokens { get; private set; }

    /// <summary>Completes when an event can be read or everything was; false at the end.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancellation) => _generation.Events.WaitToReadAsync(cancellation);

    /// <summary>The next event, without waiting. Drain before each flush.</summary>
    public bool TryRead(out TextEvent text)
    {
        while (_generation.Events.TryRead(out TokenEvent token))
        {
            if (Translate(token) is not { } translated) continue;
            text = translated;
            return true;
        }

        text = default;
        return false;
    }

    /// <summary>Ends it for its reader too, whose choices finish as cancelled and marked aborted. From any thread.</summary>
    public void Abort()
    {
        _aborted = true;
        _generation.Cancel();
    }

    public void Dispose()
    {
        _running?.Remove(this);
        if (_finished) return;
        _generation.Cancel();
        _activity.Dispose();
    }

    private TextEvent? Translate(in TokenEvent token)
    {
        switch (token.Kind)
        {
            case TokenEventKind.Prompt:
                return new TextEvent { Kind = TextEventKind.Prompt, Text = "", PromptLogprobs = token.PromptLogprobs };
            case TokenEventKind.Finished:
                _finished = true;
                _running?.Remove(this);
                _activity.Finish(token.Summary!);
                return new TextEvent { Kind = TextEventKind.Finished, Text = "", Summary = token.Summary };
            case TokenEventKind.Token:
                return Append(token);
            default:
                return Finish(token);
        }
    }

    private TextEvent? Append(in TokenEvent token)
    {
        ChoiceText choice = _choices[token.Choice];
        if (choice.Finished) return null; // ran on for a step after its stop string
        CompletionTokens++;
        if (_endTokens.Contains(token.Token))
        {
            choice.EndedBy = token;
            return null;
        }

        StopMatch match = choice.Matcher.Feed(choice.Detokenizer.Append(token.Token));
        if (match.IsStopped)
        {
            choice.Stop = match.Stop;
            _generation.StopChoice(token.Choice);
        }

        return new TextEvent
        {
            Kind = TextEventKind.Delta,
            Choice = token.Choice,
            Text = match.Text,
            Token = token.Token,
            Logprob = token.Logprob,
            TopLogprobs = token.TopLogprobs,
        };
    }

    private TextEvent? Finish(in TokenEvent token)
    {
        ChoiceText choice = _choices[token.Choice];
        string rest = choice.Stop is null ? choice.Rest() : "";
        return new TextEvent
        {
            Kind = TextEventKind.ChoiceFinished,
            Choice = token.Choice,
            Text = rest,
            FinishReason = choice.Stop is null ? token.FinishReason : FinishReason.Stop,
            StopString = choice.Stop,
            StopToken = choice.EndedBy is { } stop && !Model.EndTokens.Contains(stop.Token) ? stop.Token : null,
            EndToken = choice.EndedBy is { } end && Model.EndTokens.Contains(end.Token) ? end.Token : null,
            Logprob = choice.EndedBy?.Logprob ?? 0,
            TopLogprobs = choice.EndedBy?.TopLogprobs,
            IsAborted = _aborted && token.FinishReason == FinishReason.Cancelled,
            Error = token.Error,
        };
    }

    /// <summary>One choice's text so far.</summary>
    private sealed class ChoiceText(IDetokenizer detokenizer, StopStringMatcher matcher)
    {
        public IDetokenizer Detokenizer { get; } = detokenizer;

        public StopStringMatcher Matcher { get; } = matcher;

        public string? Stop { get; set; }

        /// <summary>The stop token that ended it.</summary>
        public TokenEvent? EndedBy { get; set; }

        public bool Finished => Stop is not null;

        /// <summary>What was held back, now that nothing follows; a stop string may still complete with the flushed character.</summary>
        public string Rest()
        {
            StopMatch match = Matcher.Feed(Detokenizer.Flush());
            if (!match.IsStopped) return match.Text + Matcher.Flush();
            Stop = match.Stop;
            return match.Text;
        }
    }
}
