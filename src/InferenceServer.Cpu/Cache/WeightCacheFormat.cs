using System.Security.Cryptography;
using System.Text;

namespace InferenceServer.Cpu.Cache;

/// <summary>
/// A weights cache's file, little-endian: magic (8), bytes of the index (8), key (32), SHA-256 of these and the index (32); the index: a count (4), then for
/// each section its name (its length in 7-bit groups, UTF-8), offset (8), length (8) and checksum (4); then sections, each at a whole page, in the kernels' layout;
/// a page of zeros at the end, so that kernels may read whole vectors there.
/// </summary>
internal static class WeightCacheFormat
{
    public const int HeaderBytes = 80;
    public const int PageBytes = 4096;
    public const int KeyBytes = SHA256.HashSizeInBytes;

    /// <summary>1.1 B parameters have 90 sections of about 100 bytes; this is enough for any model, and no allocation on a damaged file's word.</summary>
    private const int MaxIndexBytes = 64 << 20;

    /// <summary>Raise its last digit when this format changes.</summary>
    private static ReadOnlySpan<byte> Magic => "ISWEIGH1"u8;

    /// <summary>Everything before the first section; offsets are given to the entries.</summary>
    public static (byte[] Head, SectionEntry[] Entries) Head(ReadOnlySpan<byte> key, IReadOnlyList<SectionEntry> sections)
    {
        SectionEntry[] entries = [.. sections];
        long offset = WholePages(HeaderBytes + Index(entries).Length); // offsets have a fixed width: the index stays as long
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = entries[i] with { Offset = offset };
            offset += WholePages(entries[i].Bytes);
        }

        byte[] index = Index(entries), head = new byte[HeaderBytes + index.Length];
        Magic.CopyTo(head);
        BitConverter.TryWriteBytes(head.AsSpan(8), (long)index.Length);
        key.CopyTo(head.AsSpan(16));
        index.CopyTo(head, HeaderBytes);
        Hash(head).CopyTo(head, 48);
        return (head, entries);
    }

    /// <summary>Length of a file that ends with this section.</summary>
    public static long FileBytes(SectionEntry last) => WholePages(last.Offset + last.Bytes) + PageBytes;

    /// <param name="header">The first <see cref="HeaderBytes"/>.</param>
    /// <param name="key">What the file must be of.</param>
    /// <param name="fileBytes">How long it is.</param>
    /// <param name="trouble">Why not, to follow "the file".</param>
    /// <returns>Bytes of the index, or -1.</returns>
    public static int IndexBytes(ReadOnlySpan<byte> header, ReadOnlySpan<byte> key, long fileBytes, out string trouble)
    {
        long bytes = BitConverter.ToInt64(header[8..]);
        trouble = !header[..8].SequenceEqual(Magic) ? "is none, or of another version"
            : !header.Slice(16, KeyBytes).SequenceEqual(key) ? "is of other weights"
            : bytes is < sizeof(int) or > MaxIndexBytes || bytes > fileBytes - HeaderBytes ? $"claims an index of {bytes} bytes"
            : "";
        return trouble.Length == 0 ? (int)bytes : -1;
    }

    /// <param name="head">Header and index.</param>
    /// <param name="fileBytes">How long the file is.</param>
    /// <param name="trouble">Why not, to follow "the file".</param>
    /// <returns>Entries that lie in the file, by name; null if anything is wrong.</returns>
    public static Dictionary<string, SectionEntry>? Read(byte[] head, long fileBytes, out string trouble)
    {
        trouble = "has a damaged index";
        if (!Hash(head).AsSpan().SequenceEqual(head.AsSpan(48, SHA256.HashSizeInBytes))) return null;
        try
        {
            using BinaryReader reader = new(new MemoryStream(head, HeaderBytes, head.Length - HeaderBytes), Encoding.UTF8);
            Dictionary<string, SectionEntry> entries = [];
            for (int count = reader.ReadInt32(); count > 0; count--)
            {
                SectionEntry entry = new(reader.ReadString(), reader.ReadInt64(), reader.ReadInt64(), reader.ReadUInt32());
                bool inside = entry.Offset % PageBytes == 0 && entry.Offset >= head.Length && entry.Bytes > 0 && entry.Bytes % 64 == 0
                    && entry.Offset <= fileBytes - PageBytes && entry.Bytes <= fileBytes - PageBytes - entry.Offset;
                if (!inside)
                {
                    trouble = $"has {fileBytes} bytes and places '{entry.Name}' at {entry.Offset} with {entry.Bytes}";
                    return null;
                }

                if (!entries.TryAdd(entry.Name, entry)) return null;
            }

            return entries;
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException)
        {
            return null; // an index that ends early, or a name that is no text
        }
    }

    private static byte[] Index(SectionEntry[] entries)
    {
        MemoryStream index = new();
        using BinaryWriter writer = new(index, Encoding.UTF8);
        writer.Write(entries.Length);
        foreach (SectionEntry entry in entries)
        {
            writer.Write(entry.Name);
            writer.Write(entry.Offset);
            writer.Write(entry.Bytes);
            writer.Write(entry.Checksum);
        }

        return index.ToArray();
    }

    private static byte[] Hash(byte[] head)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head, 0, 48);
        hash.AppendData(head, HeaderBytes, head.Length - HeaderBytes);
        return hash.GetHashAndReset();
    }

    private static long WholePages(long bytes) => checked(bytes + PageBytes - 1) / PageBytes * PageBytes;
}
