using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>
/// A GGUF model: one file, or all parts of one that was split (name-00001-of-00003.gguf with split.no, split.count and
/// split.tensors.count), whichever of them is named. Thread-safe to read until disposed.
/// </summary>
internal sealed class GgufParts : IDisposable
{
    private const string NumberKey = "split.no", CountKey = "split.count", TensorsKey = "split.tensors.count";

    private readonly List<GgufFile> _files = [];
    private readonly Dictionary<string, HostTensor> _tensors = [];

    private GgufParts()
    {
    }

    /// <summary>Of the first part, which holds all of it.</summary>
    public GgufMetadata Metadata => _files[0].Metadata;

    /// <summary>By their names in the file.</summary>
    public IReadOnlyDictionary<string, HostTensor> Tensors => _tensors;

    public IEnumerable<GgufFile> Files => _files;

    /// <exception cref="ModelLoadException">A part is missing or broken, or the parts do not belong together.</exception>
    public static GgufParts Open(string path)
    {
        GgufParts parts = new();
        try
        {
            GgufPartName name = GgufPartName.Parse(path);
            if (name.Part < 1 || name.Part > name.Count) throw new ModelLoadException($"'{path}' calls itself part {name.Part} of {name.Count}; expected 1 to {name.Count}. Give the file its original name.");
            if (name.Count == 1) parts.AddWhole(path);
            else parts.AddAll(name);
            return parts;
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (GgufFile file in _files) file.Dispose();
    }

    private void AddWhole(string path)
    {
        Add(path);
        int count = Metadata.IntOrNull(CountKey, 0, ushort.MaxValue) ?? 1;
        if (count > 1)
            throw new ModelLoadException($"'{path}' is one of {count} parts by its key '{CountKey}', but its name does not say which; give the parts their original names, such as model-00001-of-{count:D5}.gguf.");
    }

    private void AddAll(GgufPartName name)
    {
        for (int part = 1; part <= name.Count; part++)
        {
            string path = name.PathOf(part);
            if (!File.Exists(path)) throw new ModelLoadException($"'{path}' does not exist; the model was split into {name.Count} parts, and all of them must lie in one folder. Download the missing part.");
            GgufMetadata metadata = Add(path).Metadata;
            Expect(metadata, CountKey, name.Count);
            Expect(metadata, NumberKey, part - 1);
        }

        if (Metadata.LongOrNull(TensorsKey, 0, int.MaxValue) is { } tensors && tensors != _tensors.Count)
            throw Metadata.Wrong(TensorsKey, $"{_tensors.Count}, which is what all {name.Count} parts together hold; download them again, all of one revision");
    }

    private GgufFile Add(string path)
    {
        GgufFile file = GgufFile.Open(path);
        _files.Add(file);
        foreach (HostTensor tensor in file.Tensors)
            if (!_tensors.TryAdd(tensor.Name, tensor)) throw new ModelLoadException($"'{path}' holds tensor '{tensor.Name}', which an earlier part holds too.");
        return file;
    }

    private static void Expect(GgufMetadata metadata, string key, int expected)
    {
        if (metadata.Int(key, 0, ushort.MaxValue) != expected) throw metadata.Wrong(key, $"{expected} by the file's name; give the file its original name");
    }
}
