using System.IO.MemoryMappedFiles;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Cache;

/// <summary>
/// A weights cache's file, mapped read-only and computed from where it lies: processes share it, and a load copies nothing. With advice for 2 MB pages a file
/// system that has them (ext4 of Linux 6.18 does) is read like memory in such pages, others like memory in 4 KB pages.
/// Pages may leave the memory when it is short, and are read again. The file is never changed: a new one takes its name.
/// </summary>
internal sealed unsafe class WeightCacheFile : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly Dictionary<string, SectionEntry> _entries;
    private byte* _start;

    private WeightCacheFile(MemoryMappedFile file, long bytes, Dictionary<string, SectionEntry> entries)
    {
        (_file, _entries) = (file, entries);
        _view = file.CreateViewAccessor(0, bytes, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
        HugePages.TryAdvise(_start, bytes);
    }

    /// <summary>Null if there is no such file, or if it is not what it should be: then with a sentence.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="key"><see cref="WeightCacheFormat.KeyBytes"/>: what it must be of.</param>
    /// <param name="trouble">Null if there is no file.</param>
    public static WeightCacheFile? TryOpen(string path, ReadOnlySpan<byte> key, out string? trouble)
    {
        trouble = null;
        try
        {
            if (!File.Exists(path)) return null;
            FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            Dictionary<string, SectionEntry>? entries = Read(stream, key, out trouble);
            if (entries is null)
            {
                stream.Dispose();
                trouble = $"The file '{path}' of the weights cache {trouble}; it is made anew.";
                return null;
            }

            trouble = null;
            long bytes = stream.Length;
            return new WeightCacheFile(MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false), bytes, entries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            trouble = $"The file '{path}' of the weights cache cannot be read ({e.Message}); the weights are repacked.";
            return null;
        }
    }

    /// <summary>Where a section lies; null if it is not here with just so many bytes.</summary>
    public byte* Find(string name, long bytes, out uint checksum)
    {
        bool found = _entries.TryGetValue(name, out SectionEntry entry) && entry.Bytes == bytes;
        checksum = entry.Checksum;
        return found ? _start + entry.Offset : null;
    }

    public void Dispose()
    {
        if (_start is null) return;
        _start = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    private static Dictionary<string, SectionEntry>? Read(FileStream stream, ReadOnlySpan<byte> key, out string trouble)
    {
        byte[] header = new byte[WeightCacheFormat.HeaderBytes];
        trouble = "is cut short";
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length) return null;
        int indexBytes = WeightCacheFormat.IndexBytes(header, key, stream.Length, out trouble);
        if (indexBytes < 0) return null;
        byte[] head = new byte[header.Length + indexBytes];
        header.CopyTo(head, 0);
        stream.ReadExactly(head, header.Length, indexBytes);
        return WeightCacheFormat.Read(head, stream.Length, out trouble);
    }
}
