namespace InferenceServer.Cuda.Tests.Backend;

internal static class Greedy
{
    /// <summary>
    /// Streams are equal up to the first token that was a close call: from there on they continue different texts. At least half of all tokens must
    /// have been compared, or the test would pass on noise.
    /// </summary>
    /// <param name="captured">The logits that <paramref name="expected"/> was chosen from.</param>
    /// <param name="tolerance">A call is close when the first two logits are no further apart.</param>
    /// <returns>Sequence and position of every token whose logits came from equal texts.</returns>
    public static List<(int Sequence, int Position)> AssertSame(List<int>[] expected, List<int>[] found, IReadOnlyList<int[]> prompts, CapturedLogits captured, float tolerance)
    {
        List<(int, int)> compared = [];
        for (int s = 0; s < expected.Length; s++)
        {
            Assert.Equal(expected[s].Count, found[s].Count);
            for (int i = 0; i < expected[s].Count; i++)
            {
                compared.Add((s, prompts[s].Length + i));
                if (expected[s][i] == found[s][i]) continue;
                float margin = captured.Margin(s, prompts[s].Length + i);
                Assert.True(margin <= tolerance, $"sequence {s}, token {i}: expected {expected[s][i]}, found {found[s][i]}, and the margin was {margin}");
                break;
            }
        }

        Assert.InRange(compared.Count, expected.Sum(e => e.Count) / 2, int.MaxValue);
        return compared;
    }
}
