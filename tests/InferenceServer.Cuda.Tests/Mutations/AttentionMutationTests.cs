namespace InferenceServer.Cuda.Tests.Mutations;

/// <summary>Whether the tests of attention and sampling can fail: bugs are planted, and they must.</summary>
public class AttentionMutationTests(ITestOutputHelper output)
{
    [Fact]
    public void Bugs_planted_in_attention_and_sampling_are_caught() => MutationReport.Check(AttentionMutations.All, output);
}
