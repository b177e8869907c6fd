using System.Diagnostics;
using System.Numerics;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// (left id, right id) to (rank, merged id) by open addressing: 16 bytes a slot instead of 280,000 pairs of strings.
/// Immutable once filled, then thread-safe.
/// </summary>
internal sealed class MergeTable
{
    /// <summary>What <see cref="Find"/> returns for a pair that does not merge; it sorts behind every rank.</summary>
    public const long None = long.MaxValue;

    private readonly Slot[] _slots;
    private readonly int _shift;

    /// <param name="mergesMost">How many merges will be added at most.</param>
    public MergeTable(int mergesMost)
    {
        int capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, mergesMost * 5L / 3));
        _slots = new Slot[capacity];
        _shift = 64 - BitOperations.Log2((uint)capacity);
        Array.Fill(_slots, new Slot { Key = ulong.MaxValue, Value = None });
    }

    /// <summary>Adds a merge; the later of two equal pairs wins.</summary>
    public void Add(int left, int right, int rank, int merged)
    {
        Debug.Assert(left >= 0 && right >= 0 && rank >= 0 && merged >= 0);
        ulong key = KeyOf(left, right);
        int slot = SlotOf(key);
        while (_slots[slot].Key != ulong.MaxValue && _slots[slot].Key != key)
            slot = (slot + 1) & (_slots.Length - 1);
        _slots[slot] = new Slot { Key = key, Value = (long)rank << 32 | (uint)merged };
    }

    /// <summary>rank &lt;&lt; 32 | merged id, so that the smaller value is the merge to make first; <see cref="None"/> if the pair does not merge.</summary>
    public long Find(int left, int right)
    {
        ulong key = KeyOf(left, right);
        Slot[] slots = _slots;
        for (int slot = SlotOf(key); ; slot = (slot + 1) & (slots.Length - 1))
        {
            if (slots[slot].Key == key)
                return slots[slot].Value;
            if (slots[slot].Key == ulong.MaxValue)
                return None;
        }
    }

    private static ulong KeyOf(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private int SlotOf(ulong key) => (int)((key ^ key >> 29) * 0x9E3779B97F4A7C15 >> _shift);

    private struct Slot
    {
        public ulong Key;
        public long Value;
    }
}
