using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Microbench.Kernels;

/// <summary>
/// One layer's attention of a 1.1 B Llama (32 heads of 64, 4 KV heads) over blocks of 16: sixteen sequences that decode at position 1,023, or
/// the last 256 tokens of one prompt of 1,024.
/// </summary>
public class PagedAttentionBench
{
    private const int BlockSize = 16, Context = 1024, Sequences = 16, Chunk = 256, Blocks = Context / BlockSize;

    private static readonly AttentionShape Shape = new(32, 4, 64, 0.125f, 0);

    private CpuBackend _backend = null!;
    private Activation _qkv = null!, _output = null!;
    private KvCache _cache = null!;

    [Params("decode 16 x 1", "prompt 1 x 256")]
    public string Step { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _backend = new CpuBackend(new CpuOptions(), new HostSampler());
        _cache = _backend.AllocateKvCache(new KvCacheShape(1, Shape.KvHeads, Shape.HeadDim, BlockSize, Sequences * Blocks));
        StepPlan plan = IsDecode(Step) ? Plan(Sequences, 1) : Plan(1, Chunk);
        _qkv = _backend.AllocateActivation(plan.TokenCount, Shape.QkvColumns);
        _output = _backend.AllocateActivation(plan.TokenCount, Shape.QueryColumns);
        _qkv.Rows = plan.TokenCount;
        _backend.BeginStep(plan, _cache);
    }

    [Benchmark]
    public void PagedAttention() => _backend.PagedAttention(_qkv, Shape, _cache, 0, _output);

    [GlobalCleanup]
    public void Cleanup()
    {
        _backend.EndStep();
        _backend.Dispose();
    }

    /// <summary>Keys and values of each sequence once; heads of a group and tokens of a prompt share them.</summary>
    internal static double BytesOf(string step) => (IsDecode(step) ? Sequences : 1) * 2.0 * Context * Shape.KvColumns * sizeof(float);

    /// <summary>Two products of head size for each visible token.</summary>
    internal static double FlopsOf(string step) =>
        4.0 * Shape.QueryColumns * (IsDecode(step) ? (double)Sequences * Context : Chunk * (Context - (Chunk - 1) / 2.0));

    private static bool IsDecode(string step) => step.StartsWith("decode", StringComparison.Ordinal);

    /// <summary>Each sequence's last tokens, its blocks scattered over the pool as after a while of serving.</summary>
    private static StepPlan Plan(int sequences, int tokens)
    {
        StepPlan plan = new(sequences * tokens, sequences, sequences) { StepIndex = 1, TokenCount = sequences * tokens, SequenceCount = sequences };
        for (int s = 0; s < sequences; s++)
        {
            int[] table = [.. Enumerable.Range(0, Blocks).Select(block => block * sequences + (s + block) % sequences)];
            plan.Sequences[s] = new StepSequence { FirstToken = s * tokens, TokenCount = tokens, ComputedTokens = Context - tokens, BlockTable = table, BlockCount = Blocks };
            for (int t = 0; t < tokens; t++)
            {
                int at = s * tokens + t, position = Context - tokens + t;
                (plan.Positions[at], plan.TokenSequences[at]) = (position, s);
                plan.Slots[at] = table[position / BlockSize] * BlockSize + position % BlockSize;
            }
        }

        return plan;
    }
}
