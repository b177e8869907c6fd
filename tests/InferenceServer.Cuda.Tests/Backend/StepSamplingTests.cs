using InferenceServer.Core.Compute;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>A step's rows from given logits to results, some sampled on the device and some on the host, against the host's sampler alone.</summary>
public sealed class StepSamplingTests : IDisposable
{
    private const int Vocabulary = 300;

    private readonly StandInDriver _driver = GpuStandIn.Create();
    private readonly CudaBackend _backend;
    private readonly KvCache _cache;
    private readonly Activation _logits;
    private readonly Random _random = new(3);

    public StepSamplingTests()
    {
        CudaOptions limits = new() { MaxTokensPerStep = 16, MaxSequencesPerStep = 16, MaxRowsPerStep = 16, ContextLength = 8 };
        _backend = new CudaBackend(GpuStandIn.Open(_driver), limits, new HostSampler(), new CudaTuning { BuffersApart = true, Graphs = false });
        _cache = _backend.AllocateKvCache(new KvCacheShape(1, 1, 8, 8, 16));
        _logits = _backend.AllocateActivation(16, Vocabulary, ActivationUse.Logits);
    }

    public void Dispose()
    {
        _backend.Dispose();
        _driver.Dispose();
    }

    [Fact]
    public void Greedy_rows_with_every_kind_of_edit_equal_the_hosts()
    {
        SamplingParameters greedy = new() { Temperature = 0 };
        SamplingParameters[] wanted =
        [
            greedy,
            greedy with { Logprobs = true },
            greedy with { Logprobs = true, LogitBias = new Dictionary<int, float> { [7] = 9f, [8] = -3f } },
            greedy with { BannedTokens = [.. Enumerable.Range(0, 290)] },
            greedy with { AllowedTokens = [3, 64, 299], Logprobs = true },
            greedy with { RepetitionPenalty = 3f, FrequencyPenalty = 1f, PresencePenalty = 1f },
            greedy with { TopLogprobs = 5, Logprobs = true }, // the host's, in the midst of the others
            greedy with { TypicalP = 0.5f, Temperature = 0.8f, Seed = 5 },
            greedy with { MinTokens = 2, PresencePenalty = 2f },
        ];
        Check([.. wanted.Select((p, i) => Row(i, p))]);
    }

    [Fact]
    public void Scores_and_rows_without_a_usable_number_equal_the_hosts()
    {
        float[][] logits = MemoryTensor.Matrix(_random, ElementType.F32, 5, Vocabulary);
        logits[2][299] = float.NaN;
        SamplingParameters scored = new() { PromptLogprobs = 0 };
        LogitsRow Score(int token, int target) => Row(token, scored) with { Kind = LogitsRowKind.Score, TargetToken = target };
        Check([Score(0, 12), Score(1, 299), Row(2, new SamplingParameters { Temperature = 0 }), Score(3, 0), Row(4, new SamplingParameters { Temperature = 0, AllowedTokens = [900] })], logits);
    }

    [Fact]
    public void A_seed_and_a_position_give_one_token_whatever_stands_beside_them()
    {
        float[] row = MemoryTensor.Floats(_random, Vocabulary);
        SamplingParameters warm = new() { Temperature = 1f, TopK = 40 };
        StepResult alone = Run([Row(0, warm, seed: 77)], [row]);
        int token = alone.Rows[0].Token;
        StepResult beside = Run([Row(0, warm, seed: 1), Row(1, warm, seed: 77)], [MemoryTensor.Floats(_random, Vocabulary), row]);
        Assert.Equal(token, beside.Rows[1].Token);
        int[] others = [.. Enumerable.Range(0, 12).Select(seed => Run([Row(0, warm, (ulong)seed)], [row]).Rows[0].Token)];
        Assert.True(others.Distinct().Count() > 4, string.Join(' ', others));
    }

    [Fact]
    public void Only_a_token_that_the_device_chose_can_be_fed_back()
    {
        Assert.True(_backend.CanFeedBack(Row(0, new SamplingParameters())));
        Assert.False(_backend.CanFeedBack(Row(0, new SamplingParameters { TopLogprobs = 2 })));
        Assert.False(_backend.CanFeedBack(Row(0, new SamplingParameters()) with { Kind = LogitsRowKind.Score }));
        Run([Row(0, new SamplingParameters { TopLogprobs = 2 }), Row(1, new SamplingParameters())], MemoryTensor.Matrix(_random, ElementType.F32, 2, Vocabulary));
        Matrix table = _backend.LoadMatrix(MatrixUse.Layer, MemoryTensor.Random(_random, ElementType.F32, Vocabulary, 8));
        Activation hidden = _backend.AllocateActivation(16, 8, ActivationUse.Residual);
        StepPlan plan = Plan([Row(0, new SamplingParameters())]);
        plan.TokenIds[0] = ~1;
        _backend.BeginStep(plan, _cache);
        _backend.Embed(table, hidden);
        plan.TokenIds[0] = ~0;
        _backend.BeginStep(plan, _cache);
        Assert.Throws<ArgumentException>(() => _backend.Embed(table, hidden));
    }

    private void Check(LogitsRow[] rows, float[][]? given = null)
    {
        float[][] logits = given ?? MemoryTensor.Matrix(_random, ElementType.F32, rows.Length, Vocabulary);
        StepResult found = Run(rows, logits), expected = new(16);
        for (int r = 0; r < rows.Length; r++)
        {
            new HostSampler().Sample(logits[r].ToArray(), in rows[r], ref expected.Rows[r]);
            SampleResult one = expected.Rows[r], other = found.Rows[r];
            Assert.Equal((r, one.Failed, one.Token, one.Rank, one.TopCount), (r, other.Failed, other.Token, other.Rank, other.TopCount));
            if (float.IsNaN(one.Logprob)) Assert.True(float.IsNaN(other.Logprob));
            else Assert.Equal(one.Logprob, other.Logprob, 1e-4f);
            for (int i = 0; i < one.TopCount; i++) Assert.Equal(one.Top[i], other.Top[i]);
        }
    }

    private StepResult Run(LogitsRow[] rows, float[][] logits)
    {
        _backend.WriteRows(_logits, logits);
        _backend.BeginStep(Plan(rows), _cache);
        _backend.Sample(_logits);
        _backend.EndStep();
        StepResult result = new(16);
        _backend.Collect(result);
        return result;
    }

    private static StepPlan Plan(LogitsRow[] rows)
    {
        StepPlan plan = new(16, 16, 16) { TokenCount = rows.Length, SequenceCount = rows.Length, RowCount = rows.Length };
        for (int i = 0; i < rows.Length; i++)
        {
            plan.Slots[i] = i * 8;
            plan.Sequences[i] = new StepSequence { FirstToken = i, TokenCount = 1, BlockTable = [i], BlockCount = 1 };
            plan.Rows[i] = rows[i];
        }

        return plan;
    }

    private static LogitsRow Row(int token, SamplingParameters parameters, ulong seed = 4)
    {
        SamplingState state = new(parameters, seed, [5], [1, 2, 3, 2]);
        foreach (int generated in new[] { 9, 10 }) state.Accept(generated);
        return new LogitsRow { Token = token, Sequence = token, Position = 6, Sampling = state };
    }
}
