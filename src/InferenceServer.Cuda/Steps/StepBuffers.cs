using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Memory;

namespace InferenceServer.Cuda.Steps;

/// <summary>The device's side of a step: buffers that never move, so that graphs may hold their addresses.</summary>
internal sealed unsafe class StepBuffers
{
    private readonly KvCacheShape _shape;
    private int _heads;
    private (ulong Out, ulong Ml, ulong Counters) _attention;

    public StepBuffers(DeviceArena workspace, CudaOptions limits, KvCacheShape shape, int vocabulary, int smCount)
    {
        (_shape, Vocabulary) = (shape, vocabulary);
        Work = new AttentionWork(limits.MaxTokensPerStep, limits.MaxSequencesPerStep, shape.KvHeads, smCount);
        Writer = new StepInputWriter(limits, shape, vocabulary, Work);
        MaxPartials = AttentionWork.MaxDecode(limits.MaxSequencesPerStep, shape.KvHeads, smCount);
        InputBytes = StepInputWriter.Capacity(limits, shape.BlockSize, vocabulary, MaxPartials, AttentionWork.MaxPrefill(limits.MaxTokensPerStep, limits.MaxSequencesPerStep));
        Input = workspace.Allocate(InputBytes, "the inputs of a step");
        Results = workspace.Allocate((long)limits.MaxRowsPerStep * sizeof(SampleOut), "the results of a step");
        Feed = workspace.Allocate((long)limits.MaxRowsPerStep * sizeof(int), "the tokens chosen by a step");
        Resolved = workspace.Allocate((long)limits.MaxTokensPerStep * sizeof(int), "the tokens of a step");
    }

    public StepInputWriter Writer { get; }

    public AttentionWork Work { get; }

    public int Vocabulary { get; }

    public long InputBytes { get; }

    public ulong Input { get; }

    /// <summary>(rows) <see cref="SampleOut"/>.</summary>
    public ulong Results { get; }

    /// <summary>(rows) What the last step that sampled chose.</summary>
    public ulong Feed { get; }

    /// <summary>(tokens) Ids, choices filled in.</summary>
    public ulong Resolved { get; }

    private int MaxPartials { get; }

    public bool Fits(KvCacheShape shape, int vocabulary) => _shape == shape && Vocabulary == vocabulary;

    /// <summary>Where pieces of one row's attention meet; made at the first attention of that many heads.</summary>
    public (ulong Out, ulong Ml, ulong Counters) AttentionScratch(DeviceArena workspace, CudaStream stream, int heads)
    {
        if (heads <= _heads) return _attention;
        long partials = (long)MaxPartials * heads, counters = partials * sizeof(int);
        _attention = (
            workspace.Allocate(partials * _shape.HeadDim * sizeof(float), "pieces of attention"),
            workspace.Allocate(partials * 2 * sizeof(float), "pieces of attention"),
            workspace.Allocate(counters, "pieces of attention"));
        stream.Fill(_attention.Counters, 0, counters); // each row's last piece leaves them zero
        _heads = heads;
        return _attention;
    }

    /// <summary>All of the above, before it is made.</summary>
    public static long Bytes(CudaModelSizes model, CudaOptions limits, int blockSize, int smCount)
    {
        int maxDecode = AttentionWork.MaxDecode(limits.MaxSequencesPerStep, model.KvHeads, smCount);
        long input = StepInputWriter.Capacity(limits, blockSize, model.VocabularySize, maxDecode, AttentionWork.MaxPrefill(limits.MaxTokensPerStep, limits.MaxSequencesPerStep));
        long partials = (long)maxDecode * model.Heads;
        long[] parts =
        [
            input, (long)limits.MaxRowsPerStep * sizeof(SampleOut), (long)limits.MaxRowsPerStep * sizeof(int), (long)limits.MaxTokensPerStep * sizeof(int),
            partials * model.HeadDim * sizeof(float), partials * 2 * sizeof(float), partials * sizeof(int),
        ];
        return parts.Sum(DeviceArena.Align);
    }
}
