using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>Reads a group of generations to their end.</summary>
internal sealed class ResponseCollector
{
    private readonly GenerationGroup _group;
    private readonly CollectedChoice[][] _choices;
    private readonly PromptLogprob[]?[] _prompts;

    public ResponseCollector(GenerationGroup group)
    {
        _group = group;
        _choices = [.. group.Generations.Select(g => Enumerable.Range(0, g.Request.Choices).Select(_ => new CollectedChoice()).ToArray())];
        _prompts = new PromptLogprob[]?[_choices.Length];
    }

    public GenerationGroup Group => _group;

    /// <summary>By generation.</summary>
    public IReadOnlyList<CollectedChoice[]> Choices => _choices;

    /// <summary>By generation; null where not asked for.</summary>
    public IReadOnlyList<PromptLogprob[]?> PromptLogprobs => _prompts;

    /// <summary>The failure of any choice, or null. Cancelled when the client goes away.</summary>
    public async Task<RequestRejected?> RunAsync(CancellationToken cancellation)
    {
        while (!_group.Finished && await _group.WaitAsync(cancellation))
        {
            while (_group.TryRead(out int prompt, out TextEvent text))
            {
                if (FinishReasons.Failure(text) is { } failure) return failure;
                if (text.Kind == TextEventKind.Prompt) _prompts[prompt] = text.PromptLogprobs;
                else if (text.Kind != TextEventKind.Finished) _choices[prompt][text.Choice].Add(text, _group.Generations[prompt].Request.Sampling.Logprobs);
            }
        }

        return null;
    }
}
