using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files;

/// <summary>One memory-mapped safetensors file and its tensors. Thread-safe to read until disposed.</summary>
internal sealed class SafetensorsFile : IDisposable
{
    private readonly MappedFile _file;
    private readonly Dictionary<string, HostTensor> _tensors = [];

    private SafetensorsFile(MappedFile file)
    {
        _file = file;
        foreach (TensorEntry entry in SafetensorsHeader.Read(file, out long dataStart))
            _tensors.Add(entry.Name, new MappedTensor(file, entry.Name, entry.Type, entry.Shape, dataStart + entry.Begin));
    }

    public string Path => _file.Path;

    public MappedFile File => _file;

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, HostTensor> Tensors => _tensors;

    /// <exception cref="ModelLoadException">The file is missing, truncated, or its header breaks a rule of the format.</exception>
    public static SafetensorsFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new SafetensorsFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => _file.Dispose();
}
