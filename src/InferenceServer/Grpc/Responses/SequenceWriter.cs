using Google.Protobuf.Collections;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Grpc.Requests;
using InferenceServer.Grpc.Wire;

namespace InferenceServer.Grpc.Responses;

/// <summary>Events of one request into response messages. Counts the tokens of each sequence. One owner.</summary>
internal sealed class SequenceWriter(ResponseShape shape, int sequences)
{
    private readonly uint[] _tokens = new uint[sequences];

    /// <summary>Adds everything but the text of a Delta or ChoiceFinished event.</summary>
    public void Append(SequenceOutput output, in TextEvent text)
    {
        output.Index = (uint)text.Choice;
        int? token = text.Kind == TextEventKind.Delta ? text.Token : text.EndToken ?? text.StopToken;
        if (token is { } id) AppendToken(output, id, text);
        if (text.Kind == TextEventKind.ChoiceFinished) output.FinishInfo = Finish(text);
    }

    public static PromptInfo Prompt(ResponseShape shape, int[] tokens, PromptLogprob[]? logprobs)
    {
        PromptInfo info = new() { NumPromptTokens = (uint)tokens.Length };
        if (shape.PromptTokenIds) info.TokenIds.AddRange(tokens.Select(id => (uint)id));
        foreach (PromptLogprob token in logprobs ?? [])
        {
            info.Logprobs.Add(token.Logprob);
            if (shape.PromptCandidates > 0) AppendCandidates(info.Ranks, info.CandidateTokens, token.Token, token.Top);
        }

        return info;
    }

    private void AppendToken(SequenceOutput output, int id, in TextEvent text)
    {
        _tokens[text.Choice]++;
        output.NumTokens++;
        if (shape.OutputTokenIds) output.TokenIds.Add((uint)id);
        if (shape.OutputLogprobs) output.Logprobs.Add(text.Logprob);
        if (shape.OutputCandidates > 0) AppendCandidates(output.Ranks, output.CandidateTokens, id, text.TopLogprobs);
    }

    /// <summary>The token's own place among the most likely ones, and the others.</summary>
    private static void AppendCandidates(RepeatedField<uint> ranks, RepeatedField<CandidateTokenInfo> candidates, int chosen, TokenLogprob[]? top)
    {
        CandidateTokenInfo others = new();
        uint chosenRank = 0;
        uint rank = 0;
        foreach (TokenLogprob token in top ?? [])
        {
            rank++;
            if (token.Token == chosen) chosenRank = rank;
            else others.Tokens.Add(new CandidateTokenInfo.Types.TokenInfo { Id = (uint)token.Token, Logprob = token.Logprob, Rank = rank });
        }

        ranks.Add(chosenRank);
        candidates.Add(others);
    }

    private FinishInfo Finish(in TextEvent text)
    {
        FinishInfo info = new()
        {
            NumOutputTokens = _tokens[text.Choice],
            FinishReason = text.FinishReason switch
            {
                FinishReason.Length => FinishInfo.Types.FinishReason.Length,
                FinishReason.Stop => FinishInfo.Types.FinishReason.Stop,
                _ => FinishInfo.Types.FinishReason.Aborted,
            },
        };
        if (text.StopString is { } stop) info.StopString = stop;
        else if (text.EndToken is { } end) info.EosTokenId = (uint)end;
        else if (text.StopToken is { } token) info.StopTokenId = (uint)token;
        return info;
    }
}
