using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Microbench;

/// <summary>
/// One row of 128,256 logits (Llama 3's vocabulary) to a token. The sampler may overwrite its input, so every case first copies the row;
/// "copy" is that alone.
/// </summary>
public class SamplerBench
{
    private const int Vocabulary = 128_256;

    private static readonly Dictionary<string, SamplingParameters> Chains = new()
    {
        ["greedy"] = new() { Temperature = 0 },
        ["greedy, 5 logprobs"] = new() { Temperature = 0, Logprobs = true, TopLogprobs = 5 },
        ["temperature 0.8"] = new() { Temperature = 0.8f },
        ["top-p 0.9"] = new() { Temperature = 0.8f, TopP = 0.9f },
        ["top-k 50"] = new() { Temperature = 0.8f, TopK = 50 },
        ["top-k 50, top-p 0.9"] = new() { Temperature = 0.8f, TopK = 50, TopP = 0.9f },
        ["min-p 0.05"] = new() { MinP = 0.05f },
    };

    private readonly HostSampler _sampler = new();
    private readonly float[] _model = ModelLike();
    private readonly float[] _logits = new float[Vocabulary];
    private SampleResult _result = new() { Top = new TokenLogprob[SamplingParameters.MaxTopLogprobs] };
    private SamplingState? _state;
    private int _position;

    [Params("copy", "greedy", "greedy, 5 logprobs", "temperature 0.8", "top-p 0.9", "top-k 50", "top-k 50, top-p 0.9", "min-p 0.05")]
    public string Chain { get; set; } = "";

    [GlobalSetup]
    public void Setup() => _state = Chains.TryGetValue(Chain, out SamplingParameters? parameters) ? new SamplingState(parameters, 1, [], []) : null;

    [Benchmark]
    public int Sample()
    {
        _model.CopyTo(_logits, 0);
        if (_state is null) return 0;
        LogitsRow row = new() { Position = _position++, Sampling = _state };
        _sampler.Sample(_logits, row, ref _result);
        return _result.Token;
    }

    /// <summary>As trained models have them: a broad floor (normal, deviation 2) and 300 candidates above it that fall off by a power law.</summary>
    private static float[] ModelLike()
    {
        Random random = new(3);
        float[] logits = new float[Vocabulary];
        for (int i = 0; i < logits.Length; i++)
            logits[i] = 2 * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())); // Box-Muller
        for (int rank = 1; rank <= 300; rank++) logits[random.Next(Vocabulary)] = 20 - 1.2f * MathF.Log(rank);
        return logits;
    }
}
