using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Steps;

/// <summary>
/// Fills the input buffer of a step on the host, so that one copy carries everything to the device. Allocates nothing.
/// Order: what <see cref="StepLayout"/> fixes, decode items, prefill items, block copies, edits, masks, block tables; only what is used is sent.
/// </summary>
/// <param name="vocabulary">Columns of the logits.</param>
internal sealed unsafe class StepInputWriter(CudaOptions limits, KvCacheShape cache, int vocabulary, AttentionWork work)
{
    private readonly int[] _tables = new int[limits.MaxSequencesPerStep];

    /// <summary>Where prefill items and block copies begin, in bytes.</summary>
    public (int PrefillItems, int Copies) Offsets { get; private set; }

    /// <summary>The most that any step needs.</summary>
    public static long Capacity(CudaOptions limits, int blockSize, int vocabulary, int maxDecodeItems, int maxPrefillItems)
    {
        long blocks = (limits.ContextLength + blockSize - 1) / blockSize;
        long edits = (long)SampleRowWriter.MaxEdits * sizeof(SampleEdit), mask = (vocabulary + 31) / 32 * sizeof(uint);
        long bytes = new StepLayout(limits.MaxTokensPerStep, limits.MaxRowsPerStep).DecodeItems
            + (long)maxDecodeItems * sizeof(DecodeItem) + (long)maxPrefillItems * sizeof(PrefillItem)
            + limits.MaxSequencesPerStep * (2 * sizeof(int) + blocks * sizeof(int)) + limits.MaxRowsPerStep * (edits + mask);
        return StepLayout.Align(checked((int)bytes)) + 8 * StepLayout.Align(1) + 4 * sizeof(SampleEdit);
    }

    /// <summary>Writes a checked plan; returns the bytes to send.</summary>
    public int Write(StepPlan plan, StepLayout layout, PinnedBuffer buffer)
    {
        WriteTokens(plan, layout, buffer);
        PlaceTables(plan);
        work.Plan(plan, _tables);
        buffer.Span<int>(layout.ItemCount, 1)[0] = work.DecodeItems.Length;
        int prefill = StepLayout.Align(layout.DecodeItems + work.DecodeItems.Length * sizeof(DecodeItem));
        int copies = StepLayout.Align(prefill + work.PrefillItems.Length * sizeof(PrefillItem));
        Offsets = (prefill, copies);
        plan.Copies.AsSpan(0, plan.CopyCount).CopyTo(buffer.Span<BlockCopy>(copies, plan.CopyCount)); // (source, destination), as the kernel reads them

        int edits = AlignEdits(copies + plan.CopyCount * sizeof(BlockCopy));
        int tables = WriteRows(plan, layout, buffer, edits);
        WriteItems(layout, buffer, prefill, tables / sizeof(int));
        return WriteTables(plan, buffer, tables);
    }

    private static void WriteTokens(StepPlan plan, StepLayout layout, PinnedBuffer buffer)
    {
        int tokens = plan.TokenCount;
        Span<int> ids = buffer.Span<int>(StepLayout.TokenIds, layout.Tokens), positions = buffer.Span<int>(layout.Positions, layout.Tokens);
        Span<int> slots = buffer.Span<int>(layout.Slots, layout.Tokens);
        plan.TokenIds.AsSpan(0, tokens).CopyTo(ids);
        plan.Positions.AsSpan(0, tokens).CopyTo(positions);
        plan.Slots.AsSpan(0, tokens).CopyTo(slots);
        ids[tokens..].Clear();
        positions[tokens..].Clear();
        slots[tokens..].Fill(-1); // padding stores nothing
    }

    /// <summary>Tables lie one behind the other, each as long as its sequence will be after the step.</summary>
    private void PlaceTables(StepPlan plan)
    {
        int next = 0;
        for (int s = 0; s < plan.SequenceCount; s++)
        {
            _tables[s] = next;
            next += BlocksOf(in plan.Sequences[s]);
        }
    }

    /// <returns>Where the tables begin.</returns>
    private int WriteRows(StepPlan plan, StepLayout layout, PinnedBuffer buffer, int editsAt)
    {
        Span<SampleRow> rows = buffer.Span<SampleRow>(layout.SampleRows, layout.Rows);
        Span<int> tokens = buffer.Span<int>(layout.RowTokens, layout.Rows);
        Appender<SampleEdit> edits = new(buffer.Span<SampleEdit>(editsAt, plan.RowCount * SampleRowWriter.MaxEdits), editsAt / sizeof(SampleEdit));
        int masked = 0;
        for (int r = 0; r < plan.RowCount; r++)
        {
            ref LogitsRow row = ref plan.Rows[r];
            tokens[r] = row.Token;
            rows[r] = SampleRowWriter.Write(in row, vocabulary, ref edits);
            if (SampleRowWriter.WantsMask(in row)) masked++;
        }

        for (int r = plan.RowCount; r < layout.Rows; r++)
        {
            tokens[r] = Math.Min(r, layout.Tokens - 1);
            rows[r] = SampleRowWriter.Padding(tokens[r]);
        }

        int masksAt = StepLayout.Align(editsAt + edits.Count * sizeof(SampleEdit));
        if (masked == 0) return masksAt;
        int words = (vocabulary + 31) / 32;
        Appender<uint> masks = new(buffer.Span<uint>(masksAt, masked * words), masksAt / sizeof(uint));
        for (int r = 0; r < plan.RowCount; r++)
            if (SampleRowWriter.WantsMask(in plan.Rows[r])) rows[r].Mask = SampleRowWriter.WriteMask(in plan.Rows[r], vocabulary, ref masks);
        return StepLayout.Align(masksAt + masks.Count * sizeof(uint));
    }

    private void WriteItems(StepLayout layout, PinnedBuffer buffer, int prefillAt, int firstTable)
    {
        Span<DecodeItem> decode = buffer.Span<DecodeItem>(layout.DecodeItems, work.DecodeItems.Length);
        work.DecodeItems.CopyTo(decode);
        foreach (ref DecodeItem item in decode) item.Table += firstTable;
        Span<PrefillItem> prefill = buffer.Span<PrefillItem>(prefillAt, work.PrefillItems.Length);
        work.PrefillItems.CopyTo(prefill);
        foreach (ref PrefillItem item in prefill) item.Table += firstTable;
    }

    private int WriteTables(StepPlan plan, PinnedBuffer buffer, int tablesAt)
    {
        int end = tablesAt;
        for (int s = 0; s < plan.SequenceCount; s++)
        {
            ref StepSequence sequence = ref plan.Sequences[s];
            ReadOnlySpan<int> table = sequence.BlockTable.AsSpan(0, BlocksOf(in sequence));
            PlanCheck.CheckBlocks(plan, s, table, cache.BlockCount);
            Debug.Assert(end == tablesAt + _tables[s] * sizeof(int), "Tables lie where their items say.");
            table.CopyTo(buffer.Span<int>(end, table.Length));
            end += table.Length * sizeof(int);
        }

        return end;
    }

    /// <summary>Edits are found by index from the start of the buffer, so a whole number of them must lie before: 48 bytes, of 12 each, keep the 16-byte alignment.</summary>
    private static int AlignEdits(int bytes) => (bytes + 4 * sizeof(SampleEdit) - 1) / (4 * sizeof(SampleEdit)) * (4 * sizeof(SampleEdit));

    private int BlocksOf(ref readonly StepSequence sequence) => (sequence.ComputedTokens + sequence.TokenCount + cache.BlockSize - 1) / cache.BlockSize;
}
