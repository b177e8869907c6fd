using System.Security.Cryptography;
using System.Text;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Cache;

/// <summary>
/// A backend's side of a weights cache: hands out sections that an earlier start left, keeps account of all sections, and writes the file if any had to be
/// repacked. What is handed out was checked against its checksum: the index when the file is opened, a section's bytes when it is asked for. Owned by the loading thread.
/// </summary>
internal sealed unsafe class WeightCache : IDisposable
{
    /// <summary>Longer names say no more, and 255 bytes are a file's limit.</summary>
    private const int MaxNameLength = 80;

    private readonly ForkJoinPool _pool;
    private readonly byte[] _key;
    private readonly string _path;
    private readonly WeightCacheFile? _file;
    private readonly List<string> _troubles = [];
    private readonly List<SectionEntry> _sections = [];
    private readonly List<nint> _starts = [];
    private readonly HashSet<string> _names = [];
    private long _bytesFound, _bytesRepacked;

    public WeightCache(WeightCacheOptions options, KernelTable kernels, WeightPrecision weights, ForkJoinPool pool)
    {
        _pool = pool;
        _key = Key(options, kernels, weights);
        string name = string.Concat(options.ModelName.Take(MaxNameLength).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_'));
        _path = Path.Combine(Path.GetFullPath(options.Folder), $"{name}-{Convert.ToHexStringLower(_key.AsSpan(0, 12))}.weights");
        _file = WeightCacheFile.TryOpen(_path, _key, out string? trouble);
        if (trouble is not null) _troubles.Add(trouble);
    }

    /// <summary>The name of a section.</summary>
    public static string NameOf(IReadOnlyList<HostTensor> tensors, WeightFormat format, int columns, int groups) =>
        $"{format.Type} {format.Layout} {groups} x {Tile.GroupRows} x {columns}: {string.Join(" + ", tensors.Select(t => t.Name))}";

    /// <summary>Where a section lies, its checksum having been compared; null if it must be repacked. Valid until this is disposed.</summary>
    public byte* Find(string name, long bytes)
    {
        if (_file is null) return null;
        byte* start = _file.Find(name, bytes, out uint checksum);
        if (start is null || ChecksumJob.Of(_pool, start, bytes) != checksum)
        {
            if (_troubles.Count == 0) _troubles.Add($"The file '{_path}' of the weights cache {(start is null ? "lacks" : "is damaged in")} '{name}'; it is made anew.");
            return null;
        }

        _bytesFound += bytes;
        Keep(name, start, bytes, checksum);
        return start;
    }

    /// <summary>Takes note of a section that was repacked.</summary>
    /// <param name="name">See <see cref="NameOf"/>.</param>
    /// <param name="start">Stays there until this is disposed.</param>
    /// <param name="bytes">Its length.</param>
    public void Add(string name, byte* start, long bytes)
    {
        _bytesRepacked += bytes;
        Keep(name, start, bytes, ChecksumJob.Of(_pool, start, bytes));
    }

    /// <summary>Every section was loaded: writes the file if that is of use.</summary>
    public WeightCacheReport Complete()
    {
        bool written = _bytesRepacked > 0 && TryWrite();
        return new WeightCacheReport { Path = _path, BytesFound = _bytesFound, BytesRepacked = _bytesRepacked, Written = written, Troubles = [.. _troubles] };
    }

    public void Dispose() => _file?.Dispose();

    private void Keep(string name, byte* start, long bytes, uint checksum)
    {
        if (!_names.Add(name)) return;
        _sections.Add(new SectionEntry(name, 0, bytes, checksum));
        _starts.Add((nint)start);
    }

    private bool TryWrite()
    {
        try
        {
            WeightCacheWriter.Write(_path, _key, _sections, _starts);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _troubles.Add($"The weights cache '{_path}' cannot be written ({e.Message}); the server goes on, and the next start repacks the weights again.");
            return false;
        }
    }

    /// <summary>All that decides what bytes a section has.</summary>
    private static byte[] Key(WeightCacheOptions options, KernelTable kernels, WeightPrecision weights) =>
        SHA256.HashData(Encoding.UTF8.GetBytes($"{options.ModelHash}\nlayouts {WeightFormat.LayoutVersion}: {kernels.Layouts}\nweights {weights}\n"));
}
