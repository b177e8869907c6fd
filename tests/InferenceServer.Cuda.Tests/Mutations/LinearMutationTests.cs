namespace InferenceServer.Cuda.Tests.Mutations;

/// <summary>Whether the kernel tests can fail: bugs are planted, and they must.</summary>
public class LinearMutationTests(ITestOutputHelper output)
{
    [Fact]
    public void Bugs_planted_in_products_and_small_kernels_are_caught() => MutationReport.Check(LinearMutations.All, output);
}
