using System.Security.Cryptography;
using System.Text;
using InferenceServer.Models.Files;

namespace InferenceServer.Models.Manifest;

/// <summary>One hash of all of a model's weight files: of their SHA-256, whatever the files are called.</summary>
internal static class WeightsHash
{
    /// <param name="files">Open; what is mapped is what is hashed.</param>
    /// <param name="memory">Lets big unchanged files off that were hashed before.</param>
    /// <param name="progress">While files are read, from several threads.</param>
    /// <param name="cancellation">Between reads.</param>
    /// <exception cref="ModelLoadException">There is no file, or one cannot be read.</exception>
    public static string Of(IReadOnlyList<MappedFile> files, VerifiedFiles memory, IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        if (files.Count == 0) throw new ModelLoadException("The weights cannot be hashed: they are in no file.");
        string[] hashes = new string[files.Count];
        long bytesTotal = files.Sum(f => f.Length), bytesDone = 0;
        ParallelOptions options = new() { MaxDegreeOfParallelism = FileVerifier.MaxParallelFiles, CancellationToken = cancellation };
        try
        {
            Parallel.For(0, hashes.Length, options, i => hashes[i] = HashOf(
                files[i], memory, bytes => progress?.Report(new LoadProgress(files[i].Path, Interlocked.Add(ref bytesDone, bytes), bytesTotal)), cancellation));
        }
        catch (AggregateException e) when (e.InnerException is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException($"The weights cannot be hashed: {e.InnerException.Message}", e);
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join('\n', hashes.Order(StringComparer.Ordinal)))));
    }

    private static string HashOf(MappedFile file, VerifiedFiles memory, Action<int> read, CancellationToken cancellation)
    {
        if (memory.HashOf(file.Stream) is { } known) return known;
        file.Stream.Position = 0;
        string hash = FileVerifier.Hash(file.Stream, read, cancellation);
        memory.Remember(file.Stream, new ModelFile("", file.Length, hash));
        return hash;
    }
}
