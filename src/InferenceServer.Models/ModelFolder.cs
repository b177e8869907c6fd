using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Architectures;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Files;
using InferenceServer.Models.Running;

namespace InferenceServer.Models;

/// <summary>
/// A model as a Hugging Face folder: config.json, generation_config.json, safetensors weights, tokenizer files.
/// Opening reads the small files and the weights' headers; weights are read by <see cref="LoadRunner"/>, after which the folder may be disposed.
/// Thread-safe to read.
/// </summary>
public sealed class ModelFolder : IDisposable
{
    private readonly WeightFiles _weights;

    private ModelFolder(string path, ModelConfig config, WeightFiles weights)
    {
        Path = path;
        Config = config;
        _weights = weights;
        Generation = GenerationDefaults.Read(path, config);
        Tokenizer = TokenizerSettings.Read(path);
    }

    public string Path { get; }

    /// <summary>How the weights are stored: the type of the largest tensor.</summary>
    public ElementType WeightType => _weights.MainType;

    public ModelConfig Config { get; }

    public GenerationDefaults Generation { get; }

    /// <summary>Chat template and the texts of BOS and EOS.</summary>
    public TokenizerSettings Tokenizer { get; }

    /// <summary>tokenizer.json; null if the folder has none.</summary>
    public string? TokenizerPath => ExistingFile("tokenizer.json");

    /// <summary>tokenizer_config.json; null if the folder has none.</summary>
    public string? TokenizerConfigPath => ExistingFile(TokenizerSettings.FileName);

    /// <summary>The safetensors files that are open.</summary>
    internal IEnumerable<string> WeightPaths => _weights.Paths;

    /// <exception cref="ModelLoadException">A sentence: file, field or tensor, expectation.</exception>
    public static ModelFolder Open(string path) => Open(path, static path => WeightFiles.Open(path));

    /// <summary>A folder with a config.json alone, and <paramref name="tensors"/> as its weights.</summary>
    internal static ModelFolder Open(string path, IEnumerable<HostTensor> tensors) => Open(path, _ => WeightFiles.Of(tensors));

    private static ModelFolder Open(string path, Func<string, WeightFiles> openWeights)
    {
        if (!Directory.Exists(path))
            throw new ModelLoadException($"'{path}' is not a folder; expected one with config.json and model.safetensors.");
        ModelConfig config = ConfigReader.Read(System.IO.Path.Combine(path, "config.json"));
        WeightFiles weights = openWeights(path);
        try
        {
            return new ModelFolder(path, config, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <param name="kvElementBytes">Bytes in which the backend stores one number of a key or value.</param>
    public MemoryEstimate Estimate(int kvElementBytes = 4) => MemoryEstimate.Of(Config, _weights.TensorBytes, kvElementBytes);

    /// <summary>
    /// Loads the weights into <paramref name="backend"/> and allocates the KV pool and the step's buffers.
    /// The runner owns the backend from then on; if this throws, the caller still does.
    /// </summary>
    /// <exception cref="ModelLoadException">A tensor is missing, superfluous or misshapen, or an option does not fit the model.</exception>
    public IModelRunner LoadRunner(IComputeBackend backend, RunnerOptions options, IProgress<LoadProgress>? progress = null)
    {
        RunnerLimits limits = RunnerSizing.Compute(Config, options);
        WeightLoader loader = new(Path, _weights, backend, progress);
        KvCache cache = backend.AllocateKvCache(
            new KvCacheShape(Config.Layers, Config.KvHeads, Config.HeadDim, limits.BlockSize, limits.BlockCount));
        Architecture architecture = ArchitectureTable.Find(Config.Architecture, Path);
        ITransformer transformer = architecture.Build(new LoadContext(backend, Config, limits, cache, loader));
        loader.RefuseUnused();
        return new TransformerRunner(backend, transformer, cache, limits);
    }

    public void Dispose() => _weights.Dispose();

    private string? ExistingFile(string name)
    {
        string path = System.IO.Path.Combine(Path, name);
        return File.Exists(path) ? path : null;
    }
}
