using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Microbench.Kernels;

/// <summary>
/// Attention of a 1.1 B Llama (32 heads of 64, 4 KV heads) over blocks of 16, scattered as after a while of serving, layer after layer so that keys and
/// values come from memory: decodes are bound by it (GB/s), prompts by arithmetic (GFLOP/s).
/// </summary>
public class AttentionBench
{
    private const int BlockSize = 16, Layers = 22;

    private static readonly AttentionShape Shape = new(32, 4, 64, 0.125f, 0);

    private static readonly Dictionary<string, (int Sequences, int Context, int Tokens)> Steps = new()
    {
        ["decode 1 at 128"] = (1, 128, 1),
        ["decode 1 at 4096"] = (1, 4096, 1),
        ["decode 16 at 192"] = (16, 192, 1),
        ["prompt 512"] = (1, 512, 512),
        ["512 at 4096"] = (1, 4096 + 512, 512),
    };

    private CpuBackend _backend = null!;
    private Activation _qkv = null!, _output = null!;
    private KvCache _cache = null!;
    private int _layer;

    [Params(KvType.F32, KvType.BF16, KvType.Q8)]
    public KvType Kv { get; set; }

    [ParamsSource(nameof(StepNames))]
    public string Step { get; set; } = "";

    public static IEnumerable<string> StepNames => Steps.Keys;

    [GlobalSetup]
    public void Setup()
    {
        (int sequences, int context, int tokens) = Steps[Step];
        int blocks = context / BlockSize;
        _backend = new CpuBackend(new CpuOptions { KvType = Kv }, new HostSampler());
        _cache = _backend.AllocateKvCache(new KvCacheShape(Layers, Shape.KvHeads, Shape.HeadDim, BlockSize, sequences * blocks));
        _qkv = _backend.AllocateActivation(sequences * tokens, Shape.QkvColumns);
        _output = _backend.AllocateActivation(sequences * tokens, Shape.QueryColumns);
        RopeTable rope = _backend.LoadRope([], [], context, 0);
        int[] places = [.. Enumerable.Range(0, sequences * blocks)];
        new Random(7).Shuffle(places);
        for (int position = 0; position < context; position += tokens)
        {
            StepPlan plan = Plan(sequences, tokens, position, [.. places.Chunk(blocks)]);
            _qkv.Rows = plan.TokenCount;
            if (position > 0) _backend.EndStep();
            _backend.BeginStep(plan, _cache);
            for (int layer = 0; layer < Layers; layer++) _backend.RopeAndStoreKv(_qkv, Shape, rope, null, _cache, layer);
        }
    }

    [Benchmark]
    public void PagedAttention()
    {
        _backend.PagedAttention(_qkv, Shape, _cache, _layer, _output);
        _layer = (_layer + 1) % Layers;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _backend.EndStep();
        _backend.Dispose();
    }

    /// <summary>Keys and values of each sequence once; heads of a group and tokens of a prompt share them.</summary>
    internal static double BytesOf(string step, KvType kv) =>
        2.0 * Steps[step].Sequences * Steps[step].Context * Shape.KvHeads * kv switch { KvType.F32 => 64 * 4, KvType.BF16 => 64 * 2, _ => 64 + 4 };

    /// <summary>Two products of head size for each visible token.</summary>
    internal static double FlopsOf(string step)
    {
        (int sequences, int context, int tokens) = Steps[step];
        return 4.0 * Shape.QueryColumns * sequences * tokens * (context - (tokens - 1) / 2.0);
    }

    private static StepPlan Plan(int sequences, int tokens, int computed, int[][] tables)
    {
        StepPlan plan = new(sequences * tokens, sequences, sequences) { StepIndex = 1, TokenCount = sequences * tokens, SequenceCount = sequences };
        for (int s = 0; s < sequences; s++)
        {
            plan.Sequences[s] = new StepSequence { FirstToken = s * tokens, TokenCount = tokens, ComputedTokens = computed, BlockTable = tables[s], BlockCount = tables[s].Length };
            for (int t = 0; t < tokens; t++)
            {
                int at = s * tokens + t, position = computed + t;
                (plan.Positions[at], plan.TokenSequences[at]) = (position, s);
                plan.Slots[at] = tables[s][position / BlockSize] * BlockSize + position % BlockSize;
            }
        }

        return plan;
    }
}
