using System.Numerics;
using System.Runtime.InteropServices;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// The ids of words seen lately: a fixed number of slots, a newer word simply takes the slot. Lock-free and thread-safe, because an
/// entry never changes and a reference is written whole.
/// </summary>
internal sealed class WordCache
{
    /// <summary>Longer words are rare and would make the bound on memory meaningless.</summary>
    public const int WordLengthMost = 48;

    // 16,384 slots hold the working set of English prose and code; times 48 chars and as many ids that is at most 5 MB.
    private const int SlotBits = 14;

    private readonly Entry?[] _slots = new Entry[1 << SlotBits];

    public bool TryGet(ReadOnlySpan<char> word, ulong hash, List<int> ids)
    {
        Entry? entry = _slots[hash >> (64 - SlotBits)];
        if (entry is null || !word.SequenceEqual(entry.Word))
            return false;

        if (entry.Ids.Length == 1)
            ids.Add(entry.Ids[0]);
        else
            CollectionExtensions.AddRange(ids, entry.Ids);
        return true;
    }

    public void Put(ReadOnlySpan<char> word, ulong hash, ReadOnlySpan<int> ids) =>
        _slots[hash >> (64 - SlotBits)] = new Entry(word.ToArray(), ids.ToArray());

    public static ulong HashOf(ReadOnlySpan<char> word)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(word);
        ulong hash = (ulong)bytes.Length;
        while (bytes.Length >= 8)
        {
            hash = BitOperations.RotateLeft((hash ^ MemoryMarshal.Read<ulong>(bytes)) * 0xFF51AFD7ED558CCD, 29);
            bytes = bytes[8..];
        }

        if (bytes.Length >= 4)
        {
            hash = BitOperations.RotateLeft((hash ^ MemoryMarshal.Read<uint>(bytes)) * 0xFF51AFD7ED558CCD, 29);
            bytes = bytes[4..];
        }

        if (bytes.Length >= 2)
            hash ^= MemoryMarshal.Read<ushort>(bytes);
        hash *= 0x9E3779B97F4A7C15;
        return (hash ^ hash >> 32) * 0xC4CEB9FE1A85EC53;
    }

    private sealed class Entry(char[] word, int[] ids)
    {
        public readonly char[] Word = word;
        public readonly int[] Ids = ids;
    }
}
