using System.Runtime.Intrinsics;
using InferenceServer.Engine.Sampling;
using Xunit;

namespace InferenceServer.Engine.Tests.Sampling;

public class SelectionTests
{
    [Fact]
    public void Kth_largest_equals_a_sort_in_every_order()
    {
        foreach (int size in SamplerCases.Sizes)
        {
            for (int seed = 0; seed < 20; seed++)
            {
                Random random = new(seed);
                float[] values = SamplerCases.Logits(random, size);
                if (seed % 4 == 1) Array.Sort(values);
                if (seed % 4 == 2) Array.Sort(values, static (a, b) => b.CompareTo(a));
                int k = random.Next(3) == 0 ? random.Next(1, Math.Min(size, 60) + 1) : random.Next(1, size + 1);
                float[] sorted = [.. values.OrderDescending()];
                Threshold found = TopSelection.KthLargest(values, k, SamplerScratch.Current);
                Assert.True(found.Border == sorted[k - 1], $"size {size}, seed {seed}, k {k}: {found.Border} against {sorted[k - 1]}");
                if (float.IsFinite(found.Border)) Assert.Equal(k - sorted.Count(v => v > found.Border), found.Ties);
            }
        }
    }

    [Fact]
    public void The_mass_border_equals_a_sort()
    {
        foreach (int size in SamplerCases.Sizes)
        {
            for (int seed = 0; seed < 20; seed++)
            {
                Random random = new(seed);
                (float Key, float Mass)[] pairs = [.. Enumerable.Range(0, size).Select(_ => ((float)random.Next(seed % 2 == 0 ? 10 : 1 << 24), random.Next(1, 5) / 4f))];
                double need = random.NextDouble() * pairs.Sum(p => (double)p.Mass), above = 0;
                if (need == 0) continue;
                float border = TopSelection.Border([.. pairs.Select(p => p.Key)], [.. pairs.Select(p => p.Mass)], need, out double needed);
                foreach (IGrouping<float, (float Key, float Mass)> group in pairs.GroupBy(p => p.Key).OrderByDescending(g => g.Key))
                {
                    double here = group.Sum(p => (double)p.Mass);
                    if (above + here < need)
                    {
                        above += here;
                        continue;
                    }

                    // Quarters add exactly, so nothing here is a matter of rounding.
                    Assert.True(group.Key == border && Math.Abs(need - above - needed) < 1e-6, $"size {size}, seed {seed}: {border} against {group.Key}");
                    break;
                }
            }
        }
    }

    [Fact]
    public void Asking_for_more_mass_than_there_is_keeps_all()
    {
        Assert.Equal(1f, TopSelection.Border([3, 1, 2], [], 100, out _));
        Assert.Equal(3f, TopSelection.Border([3, 1, 2], [], float.Epsilon, out _));
    }

    [Fact]
    public void A_cut_keeps_what_is_above_the_border_and_the_first_of_the_ties()
    {
        Random random = new(2);
        for (int round = 0; round < 2000; round++)
        {
            float[] values = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => (float)random.Next(4))];
            int left = random.Next(1, values.Length + 1);
            Threshold kept = new(random.Next(4), left);
            float[] expected = [.. values.Select(v => v > kept.Border || (v == kept.Border && left-- > 0) ? v : -1f)];
            WeightFilters.Cut(values, kept, -1f);
            Assert.True(expected.AsSpan().SequenceEqual(values), $"round {round}, {kept}");
        }
    }

    [Fact]
    public void Exp_is_good_to_two_units_in_the_last_place()
    {
        Assert.Equal(1f, Softmax.Exp(Vector256<float>.Zero).ToScalar());
        Assert.Equal(0f, Softmax.Exp(Vector256.Create(float.NegativeInfinity)).ToScalar());
        Assert.Equal(0f, Softmax.Exp(Vector256.Create(float.MinValue)).ToScalar());
        for (float x = -87.2f; x <= 0; x += 0.00137f)
        {
            double error = (Softmax.Exp(Vector256.Create(x)).ToScalar() / Math.Exp(x)) - 1;
            Assert.True(Math.Abs(error) < 2.4e-7, $"exp({x}) is off by {error}");
        }
    }

    [Fact]
    public void A_choice_lands_where_the_running_sum_passes_u()
    {
        float[] weights = new float[5000];
        weights[0] = 1;
        weights[700] = 2;
        weights[4999] = 1;
        Assert.Equal(0, InverseCdf.Choose(weights, 0f, SamplerScratch.Current));
        Assert.Equal(0, InverseCdf.Choose(weights, 0.24999f, SamplerScratch.Current));
        Assert.Equal(700, InverseCdf.Choose(weights, 0.25f, SamplerScratch.Current));
        Assert.Equal(700, InverseCdf.Choose(weights, 0.74999f, SamplerScratch.Current));
        Assert.Equal(4999, InverseCdf.Choose(weights, 0.75f, SamplerScratch.Current));
        Assert.Equal(4999, InverseCdf.Choose(weights, 0.99999994f, SamplerScratch.Current));
        Assert.Equal(-1, InverseCdf.Choose(new float[600], 0.5f, SamplerScratch.Current));
    }
}
