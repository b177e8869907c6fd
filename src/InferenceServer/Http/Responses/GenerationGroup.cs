using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>
/// The generations behind one response, nearly always one: a completion request with several prompts has one a prompt.
/// One reader. Disposing it early cancels what still runs.
/// </summary>
internal sealed class GenerationGroup : IDisposable
{
    private readonly TextGeneration[] _generations;
    private readonly Task<bool>?[] _waits;
    private readonly RequestSummary?[] _summaries;
    private int _next;
    private int _running;

    private GenerationGroup(TextGeneration[] generations)
    {
        _generations = generations;
        _waits = new Task<bool>?[generations.Length];
        _summaries = new RequestSummary?[generations.Length];
        _running = generations.Length;
    }

    public IReadOnlyList<TextGeneration> Generations => _generations;

    /// <summary>Every event was read.</summary>
    public bool Finished => _running == 0;

    /// <summary>Of the generation that finished last; null before the end.</summary>
    public RequestSummary? Summary { get; private set; }

    public Usage Usage
    {
        get
        {
            Usage sum = default;
            for (int i = 0; i < _generations.Length; i++)
            {
                TextGeneration generation = _generations[i];
                sum = new Usage(sum.PromptTokens + generation.PromptTokens.Length, sum.CompletionTokens + generation.CompletionTokens,
                    sum.CachedTokens + (_summaries[i]?.CachedTokens ?? 0));
            }

            return sum;
        }
    }

    /// <summary>Starts all or none. Exactly one of the results is set.</summary>
    public static (GenerationGroup? Group, RequestRejected? Rejection) Start(GenerationPipeline pipeline, IReadOnlyList<GenerationRequest> requests)
    {
        TextGeneration[] started = new TextGeneration[requests.Count];
        for (int i = 0; i < started.Length; i++)
        {
            (TextGeneration? generation, RequestRejected? rejection) = pipeline.Start(requests[i]);
            if (generation is null)
            {
                foreach (TextGeneration earlier in started.AsSpan(0, i)) earlier.Dispose();
                return (null, rejection);
            }

            started[i] = generation;
        }

        return (new GenerationGroup(started), null);
    }

    /// <summary>Completes when an event may be read; false when none will come any more.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancellation) =>
        _generations.Length == 1 ? _generations[0].WaitAsync(cancellation) : new ValueTask<bool>(WaitAnyAsync(cancellation));

    /// <summary>The next event of any generation, in turns, without waiting.</summary>
    /// <param name="prompt">Index of the generation.</param>
    /// <param name="text">The event.</param>
    public bool TryRead(out int prompt, out TextEvent text)
    {
        for (int tries = 0; tries < _generations.Length; tries++)
        {
            prompt = _next;
            if (_generations[prompt].TryRead(out text))
            {
                if (text.Kind == TextEventKind.Finished) Finish(prompt, text.Summary);
                return true;
            }

            _next = (_next + 1) % _generations.Length;
        }

        prompt = 0;
        text = default;
        return false;
    }

    public void Dispose()
    {
        foreach (TextGeneration generation in _generations) generation.Dispose();
    }

    private void Finish(int prompt, RequestSummary? summary)
    {
        _summaries[prompt] = summary;
        Summary = summary;
        _running--;
    }

    private async Task<bool> WaitAnyAsync(CancellationToken cancellation)
    {
        if (Finished) return false;
        List<Task<bool>> pending = [];
        for (int i = 0; i < _generations.Length; i++)
        {
            // A stream has one reader: a wait that did not complete last time is waited for again.
            if (_summaries[i] is not null) continue;
            if (_waits[i] is null or { IsCompleted: true }) _waits[i] = _generations[i].WaitAsync(cancellation).AsTask();
            pending.Add(_waits[i]!);
        }

        await await Task.WhenAny(pending);
        return true;
    }
}
