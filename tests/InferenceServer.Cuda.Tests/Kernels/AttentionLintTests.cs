using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Budgets of memory traffic: keys and values in whole sectors, no bank conflict where tiles are multiplied.</summary>
public class AttentionLintTests
{
    [Theory]
    [InlineData(64, 4)]
    [InlineData(128, 4)]
    [InlineData(128, 8)]
    [InlineData(256, 1)]
    public void Decode_reads_keys_and_values_in_whole_sectors(int headDim, int group)
    {
        using KernelRig rig = new(profile: true);
        new AttentionScene(new AttentionSize(group, 1, headDim), [200, 77], [1, 1]).DecodeDistance(rig, [3, 1], 2);
        InstructionCounters[] reads = [.. rig.Device.Counters($"attention_decode_bf16_hd{headDim}_g{group}").Instructions.Where(i => i.Text.StartsWith("ld.global.nc", StringComparison.Ordinal) && i.Requests > 0)];
        Assert.True(reads.Length >= 4, $"{reads.Length} reads of keys and values in flight");
        Assert.All(reads, read => Assert.Equal(read.Ideal, read.Transfers));
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(128)]
    [InlineData(256)]
    public void Prefill_has_no_bank_conflict_and_copies_whole_sectors(int headDim)
    {
        using KernelRig rig = new(profile: true);
        new AttentionScene(new AttentionSize(2, 1, headDim), [150], [80]).PrefillDistance(rig);
        CheckShared(rig, $"attention_prefill_bf16_hd{headDim}");
        InstructionCounters[] copies = [.. rig.Device.Counters($"attention_prefill_bf16_hd{headDim}").Instructions.Where(i => i.Text.StartsWith("cp.async.cg", StringComparison.Ordinal))];
        Assert.NotEmpty(copies);
        Assert.All(copies, copy => Assert.Equal(copy.Ideal, copy.Transfers));
    }

    internal static void CheckShared(KernelRig rig, string kernel)
    {
        LaunchCounters counters = rig.Device.Counters(kernel);
        Assert.True(counters.SharedRequests > 0);
        foreach (InstructionCounters row in counters.Instructions)
            if (row.Memory == MemoryKind.Shared) Assert.True(row.Transfers == row.Ideal, $"PTX line {row.Line}, `{row.Text}`: {row.Transfers} wavefronts where {row.Ideal} do");
    }
}
