using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>text_completion events. Choices are numbered prompt by prompt: index = prompt * n + choice.</summary>
internal sealed class CompletionChunkWriter : ChunkWriter
{
    private readonly GenerationGroup _group;
    private readonly GenerationRequest _request;
    private readonly bool _echo;
    private readonly CompletionLogprobs[] _logprobs;

    public CompletionChunkWriter(ResponseHead head, GenerationGroup group, StreamUsage usage, bool echo) : base(head, group, usage)
    {
        _group = group;
        _request = group.Generations[0].Request;
        _echo = echo;
        _logprobs = new CompletionLogprobs[group.Generations.Count * _request.Choices];
        for (int i = 0; i < _logprobs.Length; i++) _logprobs[i] = new CompletionLogprobs(group.Generations[0].Model.Tokenizer, _request.Sampling.TopLogprobs, _request.SkipSpecialTokens);
    }

    public override void Begin()
    {
        if (!_echo || _request.Sampling.PromptLogprobs is not null) return; // with log-probabilities it comes with them
        for (int prompt = 0; prompt < _group.Generations.Count; prompt++) Echo(prompt, default);
    }

    public override void Write(int prompt, in TextEvent text)
    {
        switch (text.Kind)
        {
            case TextEventKind.Prompt when _echo:
                Echo(prompt, [.. (text.PromptLogprobs ?? []).Select(p => new ScoredToken(p.Token, p.Logprob, p.Top))]);
                break;
            case TextEventKind.Delta:
                ScoredToken scored = new(text.Token, text.Logprob, text.TopLogprobs);
                Chunk(Index(prompt, text.Choice), text.Text, _request.Sampling.Logprobs ? new ReadOnlySpan<ScoredToken>(in scored) : default);
                break;
            case TextEventKind.ChoiceFinished:
                Chunk(Index(prompt, text.Choice), text.Text, default);
                Open(Index(prompt, text.Choice));
                Raw(",\"text\":\"\",\"logprobs\":null"u8);
                Finish(text);
                Close();
                break;
        }
    }

    private void Echo(int prompt, ReadOnlySpan<ScoredToken> tokens)
    {
        string text = PromptText.Of(_group.Generations[prompt]);
        for (int choice = 0; choice < _request.Choices; choice++) Chunk(Index(prompt, choice), text, tokens);
    }

    private void Chunk(int index, string text, ReadOnlySpan<ScoredToken> tokens)
    {
        if (text.Length == 0 && tokens.IsEmpty) return;
        Open(index);
        Raw(",\"text\":"u8);
        Text(text);
        Raw(",\"logprobs\":"u8);
        if (tokens.IsEmpty)
        {
            Raw("null"u8);
        }
        else
        {
            Json.Reset();
            _logprobs[index].Write(Json, tokens);
            Json.Flush();
        }

        Raw(",\"finish_reason\":null"u8);
        Close();
    }

    private int Index(int prompt, int choice) => prompt * _request.Choices + choice;
}
