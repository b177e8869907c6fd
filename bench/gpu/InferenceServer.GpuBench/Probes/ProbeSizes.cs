using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.GpuBench.Probes;

/// <summary>How large the probes are. A run for the stand-in driver differs in these numbers alone.</summary>
internal sealed record ProbeSizes
{
    public static ProbeSizes Full { get; } = new()
    {
        Shape = ModelShape.Llama8B,
        StreamBytes = 4L << 30,
        EmptyKernels = 300, // about what a step of an 8B model has
        Rounds = 9,
        SecondsARound = 0.004,
        RotationBytes = 2L << 30, // many times the 50 MB of L2 of an H100: repeated work must not find its weights or its keys there
        GemvRows = [1, 2, 4, 8],
        ProductRows = [1, 8, 16, 32, 64, 128, 256, 2048],
        DecodeBatches = [1, 8, 32, 64, 128, 256],
        DecodeContexts = [1024, 4096],
        PrefillLengths = [512, 2048, 8192],
    };

    public static ProbeSizes Tiny { get; } = new()
    {
        Shape = ModelShape.Tiny,
        StreamBytes = 1 << 16,
        EmptyKernels = 5,
        Rounds = 1,
        SecondsARound = 0,
        RotationBytes = 1 << 17,
        GemvRows = [1, 2],
        ProductRows = [1, 12],
        DecodeBatches = [2],
        DecodeContexts = [40],
        PrefillLengths = [20],
    };

    /// <summary>Whose matrices and heads.</summary>
    public required ModelShape Shape { get; init; }

    public required long StreamBytes { get; init; }

    public required int EmptyKernels { get; init; }

    /// <summary>A figure is the median of these.</summary>
    public required int Rounds { get; init; }

    /// <summary>A round repeats its work until it takes about this long, so that the events' resolution of half a microsecond does not matter.</summary>
    public required double SecondsARound { get; init; }

    /// <summary>What repeated work rotates through: weights, or keys and values.</summary>
    public required long RotationBytes { get; init; }

    public required IReadOnlyList<int> GemvRows { get; init; }

    public required IReadOnlyList<int> ProductRows { get; init; }

    public required IReadOnlyList<int> DecodeBatches { get; init; }

    public required IReadOnlyList<int> DecodeContexts { get; init; }

    public required IReadOnlyList<int> PrefillLengths { get; init; }
}
