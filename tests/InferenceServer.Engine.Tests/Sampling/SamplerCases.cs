using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Engine.Tests.Sampling;

/// <summary>Rows, parameters and calls that the sampler's tests share.</summary>
internal static class SamplerCases
{
    /// <summary>Around the vector width, the block size, and two vocabularies in use.</summary>
    public static readonly int[] Sizes = [1, 2, 7, 8, 9, 31, 32, 33, 511, 512, 513, 2048, 32001, 128256];

    public static float[] Gaussian(Random random, int length, float deviation)
    {
        float[] logits = new float[length];
        for (int i = 0; i < length; i++)
            logits[i] = deviation * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return logits;
    }

    /// <summary>Peaked, flat, heavy with ties, or all equal.</summary>
    public static float[] Logits(Random random, int length)
    {
        float[] logits = Gaussian(random, length, random.Next(4) switch { 0 => 0.1f, 1 => 1f, 2 => 3f, _ => 10f });
        int shape = random.Next(5);
        for (int i = 0; i < length; i++)
        {
            if (shape == 0) logits[i] = MathF.Round(logits[i]);
            if (shape == 1) logits[i] = 0.5f;
            if (shape == 2 && random.Next(3) == 0) logits[i] = float.NegativeInfinity;
        }

        if (!logits.Any(float.IsFinite)) logits[0] = 0;
        return logits;
    }

    public static SamplingParameters Parameters(Random random, int vocabulary)
    {
        bool Sometimes() => random.Next(4) == 0;
        int Token() => random.Next(vocabulary);
        int[] Tokens(int most) => [.. Enumerable.Range(0, random.Next(1, most)).Select(_ => Token())];
        return new SamplingParameters
        {
            Temperature = random.Next(6) switch { 0 => 0f, 1 => 0.01f, 2 => 5f, _ => 0.2f + (float)random.NextDouble() },
            TopK = Sometimes() ? random.Next(1, (vocabulary * 5 / 4) + 1) : Sometimes() ? random.Next(1, 60) : 0,
            TopP = random.Next(5) switch { 0 => 1e-6f, 1 => 0.999f, 2 or 3 => Math.Max(1e-3f, (float)random.NextDouble()), _ => 1f },
            MinP = Sometimes() ? (float)random.NextDouble() * 0.3f : 0f,
            TypicalP = Sometimes() ? Math.Max(1e-3f, (float)random.NextDouble()) : 1f,
            PresencePenalty = Sometimes() ? (float)((random.NextDouble() * 4) - 2) : 0f,
            FrequencyPenalty = Sometimes() ? (float)((random.NextDouble() * 4) - 2) : 0f,
            RepetitionPenalty = Sometimes() ? 0.5f + (float)random.NextDouble() : 1f,
            LogitBias = Sometimes() ? Tokens(9).Distinct().ToDictionary(t => t, _ => (float)((random.NextDouble() * 200) - 100)) : null,
            AllowedTokens = Sometimes() ? Tokens(Math.Min(vocabulary + 1, 300)).ToList() : null,
            BannedTokens = Sometimes() ? Tokens(5) : null,
            MinTokens = Sometimes() ? 100 : 0,
            Logprobs = Sometimes(),
            TopLogprobs = Sometimes() ? random.Next(1, SamplingParameters.MaxTopLogprobs + 1) : 0,
        };
    }

    public static SamplingState State(SamplingParameters parameters, int vocabulary, Random random)
    {
        int[] prompt = [.. Enumerable.Range(0, 20).Select(_ => random.Next(vocabulary))];
        SamplingState state = new(parameters, (ulong)random.NextInt64(), [random.Next(vocabulary), vocabulary + 5], prompt);
        for (int i = 0; i < 10; i++) state.Accept(random.Next(vocabulary));
        return state;
    }

    /// <summary>Samples a copy of the row.</summary>
    public static SampleResult Sample(float[] logits, SamplingParameters parameters, int position = 0, ulong seed = 1) =>
        Sample(logits, new SamplingState(parameters, seed, [], []), position);

    public static SampleResult Sample(float[] logits, SamplingState state, int position)
    {
        SampleResult result = new() { Top = new TokenLogprob[SamplingParameters.MaxTopLogprobs], Token = 77, TopCount = 5, Failed = true };
        LogitsRow row = new() { Kind = LogitsRowKind.Sample, Position = position, Sampling = state };
        new HostSampler().Sample((float[])logits.Clone(), row, ref result);
        return result;
    }

    public static SampleResult Score(float[] logits, int target, int? alternatives)
    {
        SampleResult result = new() { Top = new TokenLogprob[SamplingParameters.MaxTopLogprobs] };
        SamplingState state = new(new SamplingParameters { PromptLogprobs = alternatives }, 0, [], []);
        LogitsRow row = new() { Kind = LogitsRowKind.Score, TargetToken = target, Sampling = state };
        new HostSampler().Sample((float[])logits.Clone(), row, ref result);
        return result;
    }
}
