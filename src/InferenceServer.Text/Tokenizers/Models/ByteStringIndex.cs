using System.Numerics;
using System.Runtime.InteropServices;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>Byte string to id by open addressing; the strings stay in the array they came in. Immutable and thread-safe.</summary>
internal sealed class ByteStringIndex
{
    public static readonly ByteStringIndex Empty = new([], [], []);

    private readonly byte[] _text;
    private readonly int[] _starts;  // (ids)
    private readonly int[] _lengths; // (ids), -1: absent
    private readonly int[] _slots;   // id + 1, 0: free
    private readonly int _shift;

    public ByteStringIndex(byte[] text, int[] starts, int[] lengths)
    {
        (_text, _starts, _lengths) = (text, starts, lengths);
        int capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, starts.Length * 2));
        _slots = new int[capacity];
        _shift = 64 - BitOperations.Log2((uint)capacity);
        for (int id = 0; id < starts.Length; id++)
            if (lengths[id] >= 0)
                Insert(id);
    }

    /// <summary>The id of a string, or -1. Of two equal strings the one with the higher id wins, as in a file read from top to bottom.</summary>
    public int Find(ReadOnlySpan<byte> key)
    {
        int slot = SlotOf(key);
        for (; _slots[slot] != 0; slot = (slot + 1) & (_slots.Length - 1))
        {
            int id = _slots[slot] - 1;
            if (_lengths[id] == key.Length && key.SequenceEqual(_text.AsSpan(_starts[id], key.Length)))
                return id;
        }

        return -1;
    }

    private void Insert(int id)
    {
        ReadOnlySpan<byte> key = _text.AsSpan(_starts[id], _lengths[id]);
        int slot = SlotOf(key);
        while (_slots[slot] != 0)
        {
            int other = _slots[slot] - 1;
            if (_lengths[other] == key.Length && key.SequenceEqual(_text.AsSpan(_starts[other], key.Length)))
                break;
            slot = (slot + 1) & (_slots.Length - 1);
        }

        _slots[slot] = id + 1;
    }

    private int SlotOf(ReadOnlySpan<byte> key) => (int)(Hash(key) >> _shift);

    // Multiply and rotate over words; the table is built from an operator's file, so it need not resist chosen keys.
    private static ulong Hash(ReadOnlySpan<byte> key)
    {
        ulong hash = (ulong)key.Length * 0x9E3779B97F4A7C15;
        while (key.Length >= 8)
        {
            hash = BitOperations.RotateLeft((hash ^ MemoryMarshal.Read<ulong>(key)) * 0xFF51AFD7ED558CCD, 31);
            key = key[8..];
        }

        foreach (byte b in key)
            hash = (hash ^ b) * 0x100000001B3;
        hash ^= hash >> 32;
        return hash * 0x9E3779B97F4A7C15;
    }
}
