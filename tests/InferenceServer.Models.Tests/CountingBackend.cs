using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Models.Tests;

/// <summary>Computes nothing and allocates nothing after load; counts the ops of the last step.</summary>
internal sealed class CountingBackend : IComputeBackend
{
    public string Name => "counting";

    public string Description => "counts ops for tests";

    public int Attentions { get; private set; }

    public int KvStores { get; private set; }

    public int Projections { get; private set; }

    public int Samples { get; private set; }

    public bool IsDisposed { get; private set; }

    public Matrix LoadMatrix(MatrixUse use, params IReadOnlyList<HostTensor> stacked) => new PlainMatrix((int)stacked.Sum(t => t.Rows), stacked[0].Columns, []);

    public WeightVector LoadVector(params IReadOnlyList<HostTensor> concatenated) => new PlainVector([]);

    public RopeTable LoadRope(ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, int positions, int rotaryDim) => new PlainRope([], [], positions, rotaryDim);

    public Activation AllocateActivation(int maxRows, int columns, ActivationUse use = ActivationUse.Hidden) => new PlainActivation(maxRows, columns);

    public KvCache AllocateKvCache(KvCacheShape shape) => new PlainKvCache(shape);

    public void BeginStep(StepPlan plan, KvCache cache) => (Attentions, KvStores, Projections, Samples) = (0, 0, 0, 0);

    public void Embed(Matrix table, Activation hidden)
    {
    }

    public void RmsNorm(Activation input, WeightVector gain, float epsilon, Activation output)
    {
    }

    public void AddRmsNorm(Activation residual, Activation delta, WeightVector gain, float epsilon, Activation output)
    {
    }

    public void Project(Activation input, Matrix weight, WeightVector? bias, Activation output) => Projections++;

    public void RopeAndStoreKv(Activation qkv, AttentionShape shape, RopeTable rope, QkNorm? norm, KvCache cache, int layer) => KvStores++;

    public void PagedAttention(Activation qkv, AttentionShape shape, KvCache cache, int layer, Activation output) => Attentions++;

    public void GateUpSilu(Activation input, Matrix gateUp, Activation output)
    {
    }

    public void SelectRows(Activation hidden, Activation selected)
    {
    }

    public void Sample(Activation logits) => Samples++;

    public void EndStep()
    {
    }

    public void Collect(StepResult result)
    {
    }

    public void Dispose() => IsDisposed = true;
}
