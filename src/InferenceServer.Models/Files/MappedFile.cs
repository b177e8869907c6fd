using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace InferenceServer.Models.Files;

/// <summary>
/// A file mapped read-only, so that weights cost page cache and not heap, and files over 2 GB need no special case.
/// Thread-safe to read until disposed; spans must not outlive it. Replace a model by renaming, never in place: a file cut short
/// while it is mapped ends the process, and no code can catch that.
/// </summary>
internal sealed unsafe partial class MappedFile : IDisposable
{
    private const int AdviseDontNeed = 4; // MADV_DONTNEED, asm-generic/mman-common.h

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private byte* _start;

    private MappedFile(MemoryMappedFile file, FileStream stream, string path, long length)
    {
        _file = file;
        Stream = stream;
        Path = path;
        Length = length;
        _view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
    }

    public string Path { get; }

    /// <summary>The very file that is mapped, whatever bears its name by now. One reader at a time; closed with this.</summary>
    public FileStream Stream { get; }

    public long Length { get; }

    /// <exception cref="ModelLoadException">The file is missing, unreadable or empty.</exception>
    public static MappedFile Open(string path)
    {
        try
        {
            FileInfo info = new(path);
            if (!info.Exists) throw new ModelLoadException($"'{path}' does not exist; download the model again or correct the folder.");
            // A symbolic link (Hugging Face caches are made of them) reports its own length, so the target is opened and asked.
            FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            long length = stream.Length;
            if (length == 0)
            {
                stream.Dispose();
                throw new ModelLoadException($"'{path}' is empty; download it again.");
            }

            return new MappedFile(MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false), stream, path, length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Bytes [offset, offset + count) of the file.</summary>
    public ReadOnlySpan<byte> Bytes(long offset, int count)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - count);
        return new ReadOnlySpan<byte>(_start + offset, count);
    }

    /// <summary>
    /// Takes whole pages of bytes [offset, offset + count) out of this process's memory; the system may keep them in its page cache. Only advice, and only
    /// on Linux: reading them again brings them back.
    /// </summary>
    public void Release(long offset, long count)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - count);
        nint page = Environment.SystemPageSize;
        nint begin = ((nint)_start + (nint)offset + page - 1) & -page, end = ((nint)_start + (nint)(offset + count)) & -page;
        if (OperatingSystem.IsLinux() && end > begin) _ = Advise(begin, (nuint)(end - begin), AdviseDontNeed);
    }

    public void Dispose()
    {
        if (_start is null) return;
        _start = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(nint start, nuint length, int advice);
}
