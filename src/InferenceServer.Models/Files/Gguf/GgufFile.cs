using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>One memory-mapped GGUF file: keys and values, and tensors as they are named and laid out there. Thread-safe to read until disposed.</summary>
internal sealed class GgufFile : IDisposable
{
    private readonly MappedFile _file;
    private readonly GgufHeader _header;

    private GgufFile(MappedFile file)
    {
        _file = file;
        _header = GgufHeader.Read(file);
    }

    public string Path => _file.Path;

    public MappedFile File => _file;

    public GgufMetadata Metadata => _header.Metadata;

    public IReadOnlyList<HostTensor> Tensors => _header.Tensors;

    /// <exception cref="ModelLoadException">The file is missing, truncated, or its header breaks a rule of the format.</exception>
    public static GgufFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new GgufFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => _file.Dispose();
}
