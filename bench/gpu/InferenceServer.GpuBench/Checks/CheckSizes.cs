namespace InferenceServer.GpuBench.Checks;

/// <summary>Odd sizes for every check; the tiny ones are for compute-sanitizer and the stand-in driver, where a kernel is a thousand times slower.</summary>
internal sealed record CheckSizes(int Columns, int Outputs, int Rows, int Vocabulary, int[] Contexts, int Prompt, int Prefix)
{
    public static CheckSizes Full { get; } = new(1032, 1000, 300, 32003, [5, 300, 2500], 200, 77);

    public static CheckSizes Tiny { get; } = new(136, 72, 70, 515, [5, 300], 70, 21);
}
