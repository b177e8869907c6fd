using System.Buffers;
using System.Security.Cryptography;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Files;

namespace InferenceServer.Models.Manifest;

/// <summary>
/// Holds a model's files against its manifest: lengths first, then SHA-256, several files at a time (one hash is sequential by nature).
/// A file that serving would read but that the manifest does not name is a problem too: it could replace the chat template, say.
/// </summary>
internal static class FileVerifier
{
    private const int BufferBytes = 1 << 20;

    /// <summary>More readers than this only make a disk seek.</summary>
    public const int MaxParallelFiles = 4;

    /// <summary>Files that serving reads if they are there; shards are known only once their index was read.</summary>
    private static readonly string[] Known =
        ["config.json", GenerationDefaults.FileName, "tokenizer.json", TokenizerSettings.FileName, TokenizerSettings.TemplateFileName, WeightFiles.SingleName, WeightFiles.IndexName];

    /// <param name="manifest">Names the files.</param>
    /// <param name="folder">Holds them.</param>
    /// <param name="memory">Lets big unchanged files off that were hashed before; null hashes everything.</param>
    /// <param name="progress">Called from several threads.</param>
    /// <param name="cancellation">Between reads.</param>
    public static IReadOnlyList<FileVerdict> Verify(
        ModelManifest manifest, string folder, VerifiedFiles? memory, IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        FileVerdict[] verdicts = new FileVerdict[manifest.Files.Count];
        long bytesTotal = manifest.Files.Sum(f => f.Bytes), bytesDone = 0;
        ParallelOptions options = new() { MaxDegreeOfParallelism = MaxParallelFiles, CancellationToken = cancellation };
        Parallel.For(0, verdicts.Length, options, i =>
        {
            ModelFile file = manifest.Files[i];
            verdicts[i] = new FileVerdict(file.Path, ProblemOf(file, Path.Combine(folder, file.Path), memory, cancellation));
            progress?.Report(new LoadProgress(file.Path, Interlocked.Add(ref bytesDone, file.Bytes), bytesTotal));
        });
        IEnumerable<FileVerdict> unnamed = Known
            .Where(name => File.Exists(Path.Combine(folder, name)) && manifest.Files.All(f => f.Path != name))
            .Select(name => new FileVerdict(name, "is in the folder but not in the manifest, so it cannot be trusted; remove it or add it to the manifest"));
        return [.. verdicts, .. unnamed];
    }

    private static string? ProblemOf(ModelFile file, string path, VerifiedFiles? memory, CancellationToken cancellation)
    {
        try
        {
            if (!File.Exists(path)) return "is missing; download it";
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
            if (stream.Length != file.Bytes) return $"has {stream.Length} bytes, expected {file.Bytes}; download it again";
            if (memory?.Knows(stream, file) == true) return null;
            string actual = Hash(stream, null, cancellation);
            if (actual != file.Sha256) return $"has SHA-256 {actual}, expected {file.Sha256}; download it again, and do not use it";
            memory?.Remember(stream, file);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"cannot be read: {e.Message}";
        }
    }

    /// <param name="stream">At its start.</param>
    /// <param name="read">Told how many bytes came.</param>
    /// <param name="cancellation">Between reads.</param>
    public static string Hash(FileStream stream, Action<int>? read, CancellationToken cancellation)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (stream.Read(buffer, 0, BufferBytes) is > 0 and int count)
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, count);
                read?.Invoke(count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
