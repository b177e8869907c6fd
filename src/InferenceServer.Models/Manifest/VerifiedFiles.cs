using System.Globalization;

namespace InferenceServer.Models.Manifest;

/// <summary>
/// Remembers the hashes of big files that were read, by path, length and time of last change, so that a start does not read
/// 16 GB twice. Small files are always hashed. It guards against damage and mix-ups, not against someone who can write both the
/// weights and this file; <c>models verify</c> never asks it. Thread-safe.
/// </summary>
internal sealed class VerifiedFiles
{
    /// <summary>SHA-256 was measured at 0.4 to 1.0 GiB/s (two shared cores): below this a check costs at most 0.16 s.</summary>
    public const long AlwaysHashedBytes = 64L << 20;

    private const int MaxEntries = 1000;

    private readonly string _path;
    private readonly Lock _lock = new();
    private readonly HashSet<string> _lines;
    private bool _canSave = true;

    /// <param name="path">The file to remember in; created on first use.</param>
    public VerifiedFiles(string path)
    {
        _path = path;
        _lines = [.. Load(path)];
    }

    /// <summary>In the user's cache folder, by each system's custom.</summary>
    public static string DefaultPath
    {
        get
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            string cache = OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg ? xdg
                : OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches")
                : Path.Combine(home, ".cache");
            return Path.Combine(cache, "inference-server", "verified-files.txt");
        }
    }

    /// <summary>The hash of a file that was read before and has not changed since; null for one that must be hashed.</summary>
    /// <param name="stream">Open on the file.</param>
    public string? HashOf(FileStream stream)
    {
        string end = LineOf(stream, new ModelFile("", stream.Length, ""));
        lock (_lock) return _lines.FirstOrDefault(l => l.EndsWith(end, StringComparison.Ordinal) && l.Length == 64 + end.Length)?[..64];
    }

    /// <param name="stream">Open on the file; a symbolic link has been followed, so the time is its target's.</param>
    /// <param name="file">What it must be; its length was compared already.</param>
    public bool Knows(FileStream stream, ModelFile file)
    {
        if (file.Bytes < AlwaysHashedBytes) return false;
        string line = LineOf(stream, file);
        lock (_lock) return _lines.Contains(line);
    }

    /// <summary>Called with the stream that was hashed, right after.</summary>
    public void Remember(FileStream stream, ModelFile file)
    {
        if (file.Bytes < AlwaysHashedBytes) return;
        lock (_lock)
        {
            if (_lines.Count >= MaxEntries) _lines.Clear(); // costs one more hash each
            if (_lines.Add(LineOf(stream, file))) Save();
        }
    }

    private static string LineOf(FileStream stream, ModelFile file) => string.Create(
        CultureInfo.InvariantCulture, $"{file.Sha256} {file.Bytes} {File.GetLastWriteTimeUtc(stream.SafeFileHandle).Ticks} {stream.Name}");

    private static IEnumerable<string> Load(string path)
    {
        try
        {
            return File.Exists(path) ? [.. File.ReadLines(path).Take(MaxEntries)] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // not remembering is always safe
        }
    }

    /// <summary>Written beside and moved, so that two servers starting at once never read half a file.</summary>
    private void Save()
    {
        if (!_canSave) return;
        string temporary = $"{_path}.{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            File.WriteAllLines(temporary, _lines);
            File.Move(temporary, _path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _canSave = false; // a read-only home: the next start hashes again, which is only slower
        }
    }
}
