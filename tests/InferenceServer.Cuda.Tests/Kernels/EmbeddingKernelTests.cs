using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Rows of the embedding table, also of ids that the step before chose.</summary>
public class EmbeddingKernelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(172)]
    [InlineData(1030)]
    public void Rows_are_those_of_the_table(int columns)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 }) Check(columns, precision);
    }

    internal static void Check(int columns, ElementType precision, KernelSource? source = null)
    {
        const int Vocabulary = 11;
        int[] ids = [3, ~2, 10, 0, Vocabulary, ~0], feed = [7, -5, 9], meant = [3, 9, 10, 0, 0, 7]; // outside the vocabulary: 0
        int tableStride = Numbers.Stride(columns), outStride = tableStride + 8;
        float[] table = Numbers.Rows(new Random(columns), Vocabulary, columns, tableStride, precision);
        using KernelRig rig = new(source);
        EmbedParams parameters = new()
        {
            Table = rig.Upload<ushort>(KernelRig.Narrow(table, precision)),
            TokenIds = rig.Upload<int>(ids),
            Feed = rig.Upload<int>(feed),
            Resolved = rig.Allocate(ids.Length * sizeof(int)),
            Out = rig.Allocate(ids.Length * outStride * sizeof(float)),
            Columns = columns,
            TableStride = tableStride,
            OutStride = outStride,
            Vocabulary = Vocabulary,
        };
        new EmbeddingKernel(rig.Library, precision).Launch(rig.Stream, parameters, ids.Length);
        Assert.Equal(meant, rig.Download<int>(parameters.Resolved, ids.Length));
        float[] rows = rig.Download<float>(parameters.Out, ids.Length * outStride);
        for (int t = 0; t < ids.Length; t++)
            Assert.Equal(table.AsSpan(meant[t] * tableStride, columns), rows.AsSpan(t * outStride, columns));
    }
}
