using System.Runtime.InteropServices;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Sampling;

/// <summary>
/// The part of the chain that touches few tokens: bias, allowed and banned tokens, penalties. Ids outside the vocabulary are ignored,
/// so that one request's list can be used with models of several sizes.
/// </summary>
internal static class LogitEdits
{
    public static void Apply(Span<float> logits, SamplingState state, SamplerScratch scratch)
    {
        SamplingParameters parameters = state.Parameters;
        if (parameters.LogitBias is { } bias) AddBias(logits, bias);
        if (parameters.AllowedTokens is { } allowed) KeepOnly(logits, AsSpan(allowed, scratch), scratch);
        if (parameters.BannedTokens is { } banned) Ban(logits, AsSpan(banned, scratch));
        if (state.GeneratedTokens < parameters.MinTokens) Ban(logits, AsSpan(state.StopTokens, scratch));
        if (state.Counts is { } counts) Penalise(logits, parameters, counts);
    }

    /// <summary>A Dictionary costs no allocation; another kind of dictionary costs its enumerator, each row.</summary>
    private static void AddBias(Span<float> logits, IReadOnlyDictionary<int, float> bias)
    {
        if (bias is Dictionary<int, float> plain)
        {
            foreach ((int token, float value) in plain)
                if ((uint)token < (uint)logits.Length) logits[token] += value;
            return;
        }

        foreach ((int token, float value) in bias)
            if ((uint)token < (uint)logits.Length) logits[token] += value;
    }

    private static void KeepOnly(Span<float> logits, ReadOnlySpan<int> allowed, SamplerScratch scratch)
    {
        Span<float> kept = scratch.Largest(allowed.Length);
        for (int i = 0; i < allowed.Length; i++)
            if ((uint)allowed[i] < (uint)logits.Length) kept[i] = logits[allowed[i]];
        logits.Fill(float.NegativeInfinity);
        for (int i = 0; i < allowed.Length; i++)
            if ((uint)allowed[i] < (uint)logits.Length) logits[allowed[i]] = kept[i];
    }

    private static void Ban(Span<float> logits, ReadOnlySpan<int> banned)
    {
        foreach (int token in banned)
            if ((uint)token < (uint)logits.Length) logits[token] = float.NegativeInfinity;
    }

    /// <summary>Repetition: Keskar et al. 2019, "CTRL", section 4.1, with the sign mended as in Hugging Face. The other two: OpenAI's API reference.</summary>
    private static void Penalise(Span<float> logits, SamplingParameters parameters, Dictionary<int, int> counts)
    {
        float repetition = parameters.RepetitionPenalty, frequency = parameters.FrequencyPenalty, presence = parameters.PresencePenalty;
        foreach ((int token, int count) in counts)
        {
            if ((uint)token >= (uint)logits.Length) continue;
            float logit = logits[token];
            logit = logit > 0 ? logit / repetition : logit * repetition;
            if (count > 0) logit -= (frequency * count) + presence;
            logits[token] = logit;
        }
    }

    private static ReadOnlySpan<int> AsSpan(IReadOnlyList<int> tokens, SamplerScratch scratch)
    {
        if (tokens is int[] array) return array;
        if (tokens is List<int> list) return CollectionsMarshal.AsSpan(list);
        Span<int> copy = scratch.Ids(tokens.Count);
        for (int i = 0; i < copy.Length; i++) copy[i] = tokens[i];
        return copy;
    }
}
