using System.Globalization;

namespace InferenceServer.Cpu.Cache;

/// <summary>
/// Writes a weights cache's file: beside its place, to the disk, then by renaming, so that whoever opens it finds all of it or nothing. Writers at once make
/// equal files, and the last one's stays.
/// </summary>
internal static unsafe class WeightCacheWriter
{
    /// <summary>Of a name that is no model's file: what a server that was killed leaves behind, removed by the next one that writes.</summary>
    private const string Unfinished = ".unfinished";

    /// <summary>Large writes let the file system take large pages; see <see cref="WeightCacheFile"/>.</summary>
    private const int WriteBytes = 16 << 20;

    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(6);

    /// <param name="path">Its place; the folder is made.</param>
    /// <param name="key">What it is of.</param>
    /// <param name="sections">In order.</param>
    /// <param name="starts">Where each lies in memory.</param>
    /// <exception cref="IOException">The disk is full, or the folder is none.</exception>
    /// <exception cref="UnauthorizedAccessException">Not allowed.</exception>
    public static void Write(string path, ReadOnlySpan<byte> key, IReadOnlyList<SectionEntry> sections, IReadOnlyList<nint> starts)
    {
        string folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        RemoveAbandoned(folder);
        (byte[] head, SectionEntry[] entries) = WeightCacheFormat.Head(key, sections);
        string beside = string.Create(CultureInfo.InvariantCulture, $"{path}.{Guid.NewGuid():N}{Unfinished}");
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = 0,
            PreallocationSize = WeightCacheFormat.FileBytes(entries[^1]), // a disk that is too full says so before anything is written
        };
        try
        {
            using (FileStream file = new(beside, options))
            {
                file.Write(head);
                for (int i = 0; i < entries.Length; i++)
                {
                    file.Position = entries[i].Offset;
                    for (long at = 0; at < entries[i].Bytes; at += WriteBytes)
                        file.Write(new ReadOnlySpan<byte>((byte*)starts[i] + at, (int)Math.Min(WriteBytes, entries[i].Bytes - at)));
                }

                file.SetLength(WeightCacheFormat.FileBytes(entries[^1]));
                file.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);
        }
        catch
        {
            File.Delete(beside); // says nothing if there is none
            throw;
        }
    }

    private static void RemoveAbandoned(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*" + Unfinished))
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(file) > Abandoned) File.Delete(file);
    }
}
