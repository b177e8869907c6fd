using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Emitting;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Tests;

/// <summary>What many tests here need: random numbers, the instruction sets of this machine, the comparison of floats.</summary>
internal static class Samples
{
    public static readonly ElementType[] FloatTypes = [ElementType.F32, ElementType.F16, ElementType.BF16];

    public static float[] Floats(Random random, int count, float size = 1f)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * size;
        return values;
    }

    /// <summary>Every kernel set that this machine can run; the portable one always.</summary>
    public static TheoryData<string> InstructionSets() =>
        new(Enum.GetValues<InstructionSet>().Where(KernelTable.IsSupported).Select(s => s.ToString()));

    /// <summary>A backend that spreads even the smallest job over its threads.</summary>
    public static CpuBackend Backend(string instructionSet, int threads = 1, KvType kv = KvType.F32, CpuTopology? topology = null) =>
        new(new CpuOptions { Threads = threads, KvType = kv }, new FirstOfRow(), Enum.Parse<InstructionSet>(instructionSet), minParallelWork: 0, topology);

    public static CpuBackend Backend(int threads = 1, KvType kv = KvType.F32) => Backend(KernelTable.Best.ToString(), threads, kv);

    /// <summary>Every kernel set of this machine with every way of storing keys and values.</summary>
    public static MatrixTheoryData<string, KvType> SetsAndKvTypes() =>
        new(Enum.GetValues<InstructionSet>().Where(KernelTable.IsSupported).Select(s => s.ToString()), Enum.GetValues<KvType>());

    /// <summary>The set multiplies bf16 weights by inputs rounded to bf16.</summary>
    public static bool RoundsInput(string instructionSet, ElementType type) =>
        type == ElementType.BF16 && ((instructionSet == nameof(InstructionSet.Avx512Vnni) && MachineFeatures.Avx512Bf16)
            || (instructionSet == nameof(InstructionSet.Amx) && (MachineFeatures.TilesOfBf16 || MachineFeatures.Avx512Bf16)));

    public static float RoundToBf16(float value) => BitConverter.UInt32BitsToSingle((uint)Ops.Conversion.ToBf16(value) << 16);

    /// <summary>|actual - expected| at most <paramref name="bound"/> times the size of what was summed.</summary>
    public static void AssertClose(double expected, float actual, double magnitude, double bound, string where)
    {
        double error = Math.Abs(actual - expected);
        Assert.True(error <= bound * magnitude, $"{where}: expected {expected:G9}, got {actual:G9}; error {error:G3} exceeds {bound:G3} x {magnitude:G3}.");
    }

    public static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string where)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{where}: element {i} is {actual[i]:G9}, expected {expected[i]:G9} bit for bit.");
        }
    }

    /// <summary>Greedy, and reports the row's first logit as its log-probability.</summary>
    private sealed class FirstOfRow : ISampler
    {
        public void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result)
        {
            int best = 0;
            for (int i = 1; i < logits.Length; i++)
            {
                if (logits[i] > logits[best]) best = i;
            }

            result.Token = best;
            result.Logprob = logits[0];
        }
    }
}
