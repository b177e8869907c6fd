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
            _tensors.Add(entry.Name, new MappedTensor(file, entry, dataStart));
    }

    public string Path => _file.Path;

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

    private sealed class MappedTensor(MappedFile file, TensorEntry entry, long dataStart) : HostTensor(entry.Name, entry.Type, entry.Shape)
    {
        private readonly int _rowBytes = (int)(entry.Shape[^1] * entry.Type.Bytes());
        private readonly long _begin = dataStart + entry.Begin;

        public override ReadOnlySpan<byte> Row(long row)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(row);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
            return file.Bytes(_begin + row * _rowBytes, _rowBytes);
        }
    }
}
