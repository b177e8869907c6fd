using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Steps;

/// <summary>
/// One CUDA graph a batch bucket. A step of pure decodes is padded to its bucket; the first one runs op by op (which also chooses algorithms
/// and takes scratch memory), the second is captured, later ones are replayed. A graph depends on nothing but its bucket: inputs, counts and
/// block tables are data in buffers that never move.
/// </summary>
/// <param name="largest">The largest batch worth a graph that the step buffers hold; 0: none.</param>
internal sealed class StepGraphs(int largest) : IDisposable
{
    /// <summary>Beyond, a step takes so long that launching its kernels one by one hides behind them.</summary>
    public const int LargestBucket = 256;

    private const int Step = 8;

    private readonly Entry?[] _entries = new Entry?[LargestBucket + 1];
    private readonly int _largest = Math.Min(largest, LargestBucket);

    public int Count { get; private set; }

    /// <summary>The bucket of a step of decodes: every sequence one token, and its logits wanted. 0 for any other step.</summary>
    public int BucketOf(StepPlan plan)
    {
        int count = plan.TokenCount;
        if (count == 0 || count > _largest || plan.SequenceCount != count || plan.RowCount != count) return 0;
        for (int i = 0; i < count; i++)
            if (plan.Sequences[i].TokenCount != 1 || plan.Sequences[i].FirstToken != i || plan.Rows[i].Token != i) return 0;
        return Math.Min(BucketFor(count), _largest);
    }

    /// <summary>1, 2, 4, 8, 16, 24, ... 256.</summary>
    public static int BucketFor(int count) => count switch
    {
        <= 2 => count,
        <= 4 => 4,
        _ => (count + Step - 1) / Step * Step,
    };

    /// <summary>What the next step of a bucket does.</summary>
    public StepMode ModeOf(int bucket)
    {
        if (bucket == 0) return StepMode.Eager;
        Entry entry = _entries[bucket] ??= new Entry();
        return entry.Graph is not null ? StepMode.Replay : entry.RanEagerly ? StepMode.Capture : StepMode.Eager;
    }

    /// <summary>A step of the bucket ran op by op to its end.</summary>
    public void RanEagerly(int bucket)
    {
        if (bucket != 0) _entries[bucket]!.RanEagerly = true;
    }

    /// <param name="trace">Of the ops in it.</param>
    public void Keep(int bucket, CudaGraph graph, ulong trace)
    {
        (_entries[bucket]!.Graph, _entries[bucket]!.Trace) = (graph, trace);
        Count++;
    }

    /// <summary>Enqueues the bucket's graph in the place of the ops that were issued.</summary>
    /// <exception cref="InvalidOperationException">Other ops were issued than the graph holds.</exception>
    public void Launch(int bucket, CudaStream stream, ulong trace)
    {
        Entry entry = _entries[bucket]!;
        if (entry.Trace != trace)
            throw new InvalidOperationException($"This step of {bucket} decodes issued other ops than the one whose graph stands for all of them; a model must issue the same.");
        entry.Graph!.Launch(stream);
    }

    public void Dispose()
    {
        foreach (Entry? entry in _entries) entry?.Graph?.Dispose();
        Array.Clear(_entries);
    }

    private sealed class Entry
    {
        public bool RanEagerly { get; set; }

        public CudaGraph? Graph { get; set; }

        public ulong Trace { get; set; }
    }
}
