using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>
/// A KV pool that remembers, slot by slot, which token was stored there, for which position and after which history. Reading a slot
/// that holds anything but what the block table claims throws.
/// </summary>
internal sealed class FakeKvPool(int blockCount, int blockSize)
{
    private readonly ulong[] _histories = new ulong[blockCount * blockSize]; // (slots)
    private readonly int[] _tokens = new int[blockCount * blockSize]; // (slots)
    private readonly int[] _positions = Filled(blockCount * blockSize, -1); // (slots)
    private readonly long[] _writtenInStep = new long[blockCount * blockSize]; // (slots)

    /// <summary>In any order: no block is both source and destination.</summary>
    public void Copy(ReadOnlySpan<BlockCopy> copies)
    {
        HashSet<int> destinations = [];
        foreach (BlockCopy copy in copies) FakeRunner.Require(destinations.Add(copy.Destination), "One copy a destination.");
        for (int i = copies.Length - 1; i >= 0; i--)
        {
            (int source, int destination) = copies[i];
            FakeRunner.Require(!destinations.Contains(source), "No copy reads what another writes.");
            CopyBlock(_histories, source, destination);
            CopyBlock(_tokens, source, destination);
            CopyBlock(_positions, source, destination);
        }
    }

    public void Store(int slot, int position, ulong historyBefore, int token, long step)
    {
        FakeRunner.Require(_writtenInStep[slot] != step, "One writer a slot.");
        _writtenInStep[slot] = step;
        _histories[slot] = FakeModel.Extend(historyBefore, token);
        _tokens[slot] = token;
        _positions[slot] = position;
    }

    /// <summary>Everything up to a position, read through the block table: each slot must hold its own position and follow from the one before.</summary>
    public ulong ReadHistory(int[] table, int last)
    {
        ulong history = FakeModel.EmptyHistory;
        for (int position = 0; position <= last; position++)
        {
            int slot = SlotOf(table, position);
            history = FakeModel.Extend(history, _tokens[slot]);
            FakeRunner.Require(_positions[slot] == position && _histories[slot] == history, "A slot holds the position that the table claims, after the token before it.");
        }

        return history;
    }

    public int SlotOf(int[] table, int position) => table[position / blockSize] * blockSize + position % blockSize;

    private void CopyBlock<T>(T[] slots, int source, int destination) =>
        slots.AsSpan(source * blockSize, blockSize).CopyTo(slots.AsSpan(destination * blockSize, blockSize));

    private static int[] Filled(int length, int value)
    {
        int[] array = new int[length];
        Array.Fill(array, value);
        return array;
    }
}
