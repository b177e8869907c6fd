using System.Security.Cryptography;
using System.Text;

namespace InferenceServer.Cuda.Driver;

/// <summary>
/// Assembled kernels in files, so that only the first start on a machine pays for assembling. A file's name is a hash of everything that
/// went into it, so nothing ever goes stale; files are written beside and moved into place, so none is ever half. An unusable folder
/// costs time, never a start.
/// </summary>
internal sealed class CubinCache
{
    private static readonly byte[] Magic = "ISCUBIN1"u8.ToArray();

    private readonly Action<string>? _log;

    /// <param name="folder">Null: no cache.</param>
    /// <param name="log">Told once a trouble.</param>
    public CubinCache(string? folder, Action<string>? log = null)
    {
        Folder = folder;
        _log = log;
    }

    public string? Folder { get; }

    /// <summary>XDG_CACHE_HOME, else ~/.cache; null for a user without a home.</summary>
    public static string? DefaultFolder()
    {
        string? root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(root) || !Path.IsPathRooted(root))
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (home.Length == 0) return null;
            root = Path.Combine(home, ".cache");
        }

        return Path.Combine(root, "inference-server", "cubin");
    }

    /// <summary>The name of what assembling these inputs gives.</summary>
    public static string Key(ReadOnlySpan<byte> ptx, int driverVersion, string deviceName, ComputeCapability capability, string options)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{driverVersion}\n{deviceName}\n{capability}\n{options}\n"));
        hash.AppendData(ptx);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The cubin stored under a key, or null.</summary>
    public byte[]? TryRead(string key)
    {
        if (Folder is null) return null;
        try
        {
            string path = PathOf(key);
            if (!File.Exists(path)) return null;
            byte[] file = File.ReadAllBytes(path);
            int header = Magic.Length + SHA256.HashSizeInBytes;
            if (file.Length > header && file.AsSpan(0, Magic.Length).SequenceEqual(Magic)
                && SHA256.HashData(file.AsSpan(header)).AsSpan().SequenceEqual(file.AsSpan(Magic.Length, SHA256.HashSizeInBytes)))
                return file[header..];

            _log?.Invoke($"The kernel cache file {path} is damaged; assembling again.");
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log?.Invoke($"The kernel cache {Folder} cannot be read ({e.Message}); assembling instead.");
            return null;
        }
    }

    /// <summary>Stores a cubin if the folder allows it.</summary>
    public bool TryWrite(string key, ReadOnlySpan<byte> cubin)
    {
        if (Folder is null) return false;
        string? beside = null;
        try
        {
            Directory.CreateDirectory(Folder);
            beside = Path.Combine(Folder, $".{key}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}");
            using (FileStream file = new(beside, FileMode.Create, FileAccess.Write))
            {
                file.Write(Magic);
                file.Write(SHA256.HashData(cubin));
                file.Write(cubin);
            }

            File.Move(beside, PathOf(key), overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log?.Invoke($"The kernel cache {Folder} cannot be written ({e.Message}); the next start will assemble again.");
            TryDelete(beside);
            return false;
        }
    }

    /// <summary>Drops a cubin that the driver did not take.</summary>
    public void Forget(string key) => TryDelete(Folder is null ? null : PathOf(key));

    /// <summary>Files and bytes it holds, for reports.</summary>
    public (int Files, long Bytes) Size()
    {
        if (Folder is null || !Directory.Exists(Folder)) return (0, 0);
        FileInfo[] files = new DirectoryInfo(Folder).GetFiles("*.cubin");
        return (files.Length, files.Sum(f => f.Length));
    }

    private string PathOf(string key) => Path.Combine(Folder!, key + ".cubin");

    private void TryDelete(string? path)
    {
        if (path is null) return;
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log?.Invoke($"{path} could not be removed: {e.Message}");
        }
    }
}
