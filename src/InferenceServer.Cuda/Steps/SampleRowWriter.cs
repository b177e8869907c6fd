using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Steps;

/// <summary>
/// What a row's token depends on besides its logits, as the sampling kernel reads it. Everything is copied when the step begins: sampling states
/// move on while steps are in flight. What the kernel cannot do is left to the host's sampler, and the row says skip.
/// </summary>
internal static class SampleRowWriter
{
    /// <summary>Biases, bans and penalised tokens of one row; a longer list costs more to send than its row of logits to fetch.</summary>
    public const int MaxEdits = 2048;

    /// <summary>Whether the kernel samples this row. Never turns true for a row for which it was false: tokens only get more, and stop tokens always count.</summary>
    public static bool OnDevice(in LogitsRow row)
    {
        SamplingParameters parameters = row.Sampling.Parameters;
        if (row.Kind == LogitsRowKind.Score) return parameters.PromptLogprobs is null or 0;
        if (parameters.TopLogprobs > 0 || parameters.TypicalP < 1f) return false;
        int edits = (parameters.LogitBias?.Count ?? 0) + (parameters.BannedTokens?.Count ?? 0) + (row.Sampling.Counts?.Count ?? 0)
            + (parameters.MinTokens > 0 ? row.Sampling.StopTokens.Count : 0);
        return edits <= MaxEdits;
    }

    /// <summary>A row of the bucket without one in the plan.</summary>
    public static SampleRow Padding(int token) => new() { Token = token, Flags = SampleFlags.Skip, Mask = -1 };

    /// <summary>Writes a row without its mask, and its edits behind what is written of those already.</summary>
    /// <param name="row">Of the plan.</param>
    /// <param name="vocabulary">Ids outside are left out, as the host's sampler ignores them.</param>
    /// <param name="edits">Room for <see cref="MaxEdits"/> more.</param>
    public static SampleRow Write(in LogitsRow row, int vocabulary, ref Appender<SampleEdit> edits)
    {
        SamplingParameters parameters = row.Sampling.Parameters;
        SampleRow written = Padding(row.Token);
        if (!OnDevice(in row)) return written;
        if (row.Kind == LogitsRowKind.Score)
        {
            (written.Flags, written.Target) = (SampleFlags.Score, row.TargetToken);
            return written;
        }

        written.Flags = (row.PendingTokens > 0 ? SampleFlags.Pending : SampleFlags.None) | (parameters.Logprobs ? SampleFlags.Logprob : SampleFlags.None);
        (written.Seed, written.Position) = (row.Sampling.Seed, row.Position);
        (written.TopK, written.Temperature, written.TopP, written.MinP) = (parameters.TopK, parameters.Temperature, parameters.TopP, parameters.MinP);
        (written.Repetition, written.Frequency, written.Presence) = (parameters.RepetitionPenalty, parameters.FrequencyPenalty, parameters.PresencePenalty);
        WriteEdits(in row, vocabulary, ref edits, ref written);
        return written;
    }

    public static bool WantsMask(in LogitsRow row) => row.Kind == LogitsRowKind.Sample && row.Sampling.Parameters.AllowedTokens is not null && OnDevice(in row);

    /// <summary>A bit a token, 1 = allowed; returns the index of its first word.</summary>
    public static int WriteMask(in LogitsRow row, int vocabulary, ref Appender<uint> masks)
    {
        IReadOnlyList<int> allowed = row.Sampling.Parameters.AllowedTokens!;
        int first = masks.Index;
        Span<uint> words = masks.Add((vocabulary + 31) / 32);
        words.Clear();
        for (int i = 0; i < allowed.Count; i++)
            if ((uint)allowed[i] < (uint)vocabulary) words[allowed[i] >> 5] |= 1u << (allowed[i] & 31);
        return first;
    }

    private static void WriteEdits(in LogitsRow row, int vocabulary, ref Appender<SampleEdit> edits, ref SampleRow written)
    {
        SamplingState state = row.Sampling;
        SamplingParameters parameters = state.Parameters;
        written.Edits = edits.Index;
        if (parameters.LogitBias is Dictionary<int, float> plain) // enumerates without allocating
            foreach ((int token, float bias) in plain) Add(token, BitConverter.SingleToInt32Bits(bias), vocabulary, ref edits);
        else if (parameters.LogitBias is { } other)
            foreach ((int token, float bias) in other) Add(token, BitConverter.SingleToInt32Bits(bias), vocabulary, ref edits);
        written.Biases = edits.Index;

        if (parameters.BannedTokens is { } banned)
            for (int i = 0; i < banned.Count; i++) Add(banned[i], 0, vocabulary, ref edits);
        if (state.GeneratedTokens + row.PendingTokens < parameters.MinTokens)
            for (int i = 0; i < state.StopTokens.Count; i++) Add(state.StopTokens[i], 0, vocabulary, ref edits);
        written.Bans = edits.Index;

        if (state.Counts is { } counts)
            foreach ((int token, int count) in counts) Add(token, count, vocabulary, ref edits);
        written.Counts = edits.Index;
    }

    private static void Add(int token, int value, int vocabulary, ref Appender<SampleEdit> edits)
    {
        if ((uint)token < (uint)vocabulary) edits.Add(new SampleEdit { Token = token, Value = value });
    }
}
