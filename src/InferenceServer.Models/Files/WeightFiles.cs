using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files;

/// <summary>
/// All tensors of a model: of a folder's model.safetensors, of the shards that its model.safetensors.index.json names, or of a GGUF file.
/// Thread-safe to read until disposed.
/// </summary>
internal sealed class WeightFiles : IDisposable
{
    public const string SingleName = "model.safetensors";
    public const string IndexName = "model.safetensors.index.json";
    public const string EmbeddingName = "model.embed_tokens.weight";
    public const string HeadName = "lm_head.weight";

    private readonly List<IDisposable> _files = [];
    private readonly List<MappedFile> _mapped = [];
    private readonly Dictionary<string, HostTensor> _tensors = [];

    /// <summary>What says which tensors there must be, in errors.</summary>
    public string ConfigName { get; private init; } = "config.json";

    /// <summary>A tensor's name as it stands in the file, for errors.</summary>
    public Func<string, string> StoredName { get; private init; } = static name => name;

    /// <summary>By Hugging Face's name, from whichever file holds it.</summary>
    public IReadOnlyDictionary<string, HostTensor> Tensors => _tensors;

    /// <summary>Paths of the files that are open.</summary>
    public IEnumerable<string> Paths => _mapped.Select(f => f.Path);

    /// <summary>The files that are open; none where tensors are in no file.</summary>
    public IReadOnlyList<MappedFile> Mapped => _mapped;

    /// <summary>Stored bytes of all tensors.</summary>
    public long TensorBytes => _tensors.Values.Sum(t => t.Bytes);

    /// <summary>Of the largest tensor; norms and the like may be wider.</summary>
    public ElementType MainType => _tensors.Values.MaxBy(t => t.Rows * t.Columns)?.Type ?? ElementType.F32;

    /// <exception cref="ModelLoadException">No weights in the folder, or a broken file.</exception>
    public static WeightFiles Open(string folder)
    {
        WeightFiles weights = new();
        try
        {
            string single = Path.Combine(folder, SingleName), index = Path.Combine(folder, IndexName);
            if (File.Exists(single)) weights.Add(single);
            else if (File.Exists(index)) weights.AddShards(folder, index);
            else throw new ModelLoadException($"'{folder}' holds neither {SingleName} nor {IndexName}; weights are read as safetensors only.");
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Tensors that are in no file: random weights for a benchmark.</summary>
    public static WeightFiles Of(IEnumerable<HostTensor> tensors)
    {
        WeightFiles weights = new();
        foreach (HostTensor tensor in tensors) weights._tensors.Add(tensor.Name, tensor);
        return weights;
    }

    /// <summary>Tensors of files in another format.</summary>
    /// <param name="tensors">By Hugging Face's names.</param>
    /// <param name="owner">Of the files; disposed with the result.</param>
    /// <param name="files">Where they are.</param>
    /// <param name="configName">What says which tensors there must be.</param>
    /// <param name="storedName">Hugging Face's name to the file's.</param>
    public static WeightFiles Of(IEnumerable<HostTensor> tensors, IDisposable owner, IEnumerable<MappedFile> files, string configName, Func<string, string> storedName)
    {
        WeightFiles weights = new() { ConfigName = configName, StoredName = storedName };
        foreach (HostTensor tensor in tensors) weights._tensors.Add(tensor.Name, tensor);
        weights._files.Add(owner);
        weights._mapped.AddRange(files);
        return weights;
    }

    public void Dispose()
    {
        foreach (IDisposable file in _files) file.Dispose();
    }

    private SafetensorsFile Add(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        _files.Add(file);
        _mapped.Add(file.File);
        foreach ((string name, HostTensor tensor) in file.Tensors)
            if (!_tensors.TryAdd(name, tensor)) throw new ModelLoadException($"'{path}' holds tensor '{name}', which an earlier shard holds too.");
        return file;
    }

    private void AddShards(string folder, string index)
    {
        JsonFields map = JsonFields.ReadFile(index, refuseDuplicates: true).Object("weight_map");
        Dictionary<string, SafetensorsFile> shards = [];
        foreach (string tensor in map.Names())
        {
            string shard = map.Text(tensor);
            if (!shards.TryGetValue(shard, out SafetensorsFile? file))
            {
                CheckShardName(index, shard);
                file = Add(Path.Combine(folder, shard));
                shards.Add(shard, file);
            }

            if (!file.Tensors.ContainsKey(tensor))
                throw new ModelLoadException($"'{file.Path}' lacks tensor '{tensor}', which '{index}' places there; download both again.");
        }
    }

    /// <summary>A shard is a plain file name beside the index: anything else could read files outside of the folder.</summary>
    private static void CheckShardName(string index, string shard)
    {
        bool plain = shard.EndsWith(".safetensors", StringComparison.Ordinal) && shard[0] != '.'
            && shard.AsSpan().IndexOfAny("/\\:\0") < 0;
        if (!plain)
            throw new ModelLoadException($"'{index}' names the shard '{shard}'; expected a file name ending in .safetensors without any folder.");
    }
}
