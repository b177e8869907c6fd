using System.Text;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>One choice of an answer that is delivered whole.</summary>
internal sealed class CollectedChoice
{
    public StringBuilder Text { get; } = new();

    public List<ScoredToken> Tokens { get; } = [];

    /// <summary>Set once it has ended.</summary>
    public TextEvent End { get; private set; }

    public void Add(in TextEvent text, bool logprobs)
    {
        Text.Append(text.Text);
        if (text.Kind == TextEventKind.ChoiceFinished) End = text;
        else if (logprobs) Tokens.Add(new ScoredToken(text.Token, text.Logprob, text.TopLogprobs));
    }
}
