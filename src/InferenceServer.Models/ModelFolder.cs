using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Core.Text;
using InferenceServer.Models.Architectures;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Files;
using InferenceServer.Models.Files.Gguf;
using InferenceServer.Models.Manifest;
using InferenceServer.Models.Running;

namespace InferenceServer.Models;

/// <summary>
/// A model on the disk: a Hugging Face folder (config.json, generation_config.json, safetensors weights, tokenizer files), or a GGUF file, which
/// holds the same. Opening reads the small files and the weights' headers; weights are read by <see cref="LoadRunner"/>, after which this may be disposed.
/// Thread-safe to read.
/// </summary>
public sealed class ModelFolder : IDisposable
{
    private readonly WeightFiles _weights;

    private ModelFolder(string path, ModelConfig config, GenerationDefaults generation, TokenizerSettings tokenizer, WeightFiles weights)
    {
        Path = path;
        Config = config;
        Generation = generation;
        Tokenizer = tokenizer;
        _weights = weights;
    }

    /// <summary>Of the folder or the file.</summary>
    public string Path { get; }

    /// <summary>How the weights are stored: the type of the largest tensor.</summary>
    public ElementType WeightType => _weights.MainType;

    public ModelConfig Config { get; }

    public GenerationDefaults Generation { get; }

    /// <summary>Chat template and the texts of BOS and EOS.</summary>
    public TokenizerSettings Tokenizer { get; }

    /// <summary>The tokenizer of a GGUF file; null if it has none, and for a folder.</summary>
    public TokenizerTables? TokenizerTables { get; private init; }

    /// <summary>tokenizer.json; null if there is none.</summary>
    public string? TokenizerPath => ExistingFile("tokenizer.json");

    /// <summary>tokenizer_config.json; null if there is none.</summary>
    public string? TokenizerConfigPath => ExistingFile(TokenizerSettings.FileName);

    /// <summary>The files with weights that are open.</summary>
    internal IEnumerable<string> WeightPaths => _weights.Paths;

    /// <summary>Does <paramref name="path"/> name a GGUF file, by its extension, and not a folder?</summary>
    public static bool IsGguf(string path) => GgufPartName.IsGguf(path) && !Directory.Exists(path);

    /// <summary>What a model at <paramref name="path"/> is called: the folder's name, or the file's without .gguf and without the number of the part.</summary>
    public static string NameOf(string path) => IsGguf(path) ? GgufPartName.Parse(path).Name : System.IO.Path.GetFileName(path.TrimEnd('/', '\\'));

    /// <param name="path">A folder, or a GGUF file (any part of a split one).</param>
    /// <exception cref="ModelLoadException">A sentence: file, field or tensor, expectation.</exception>
    public static ModelFolder Open(string path) => IsGguf(path) ? OpenGguf(path) : Open(path, static path => WeightFiles.Open(path));

    /// <summary>A folder with a config.json alone, and <paramref name="tensors"/> as its weights.</summary>
    internal static ModelFolder Open(string path, IEnumerable<HostTensor> tensors) => Open(path, _ => WeightFiles.Of(tensors));

    private static ModelFolder Open(string path, Func<string, WeightFiles> openWeights)
    {
        if (!Directory.Exists(path))
            throw new ModelLoadException($"'{path}' is not a folder; expected one with config.json and model.safetensors, or a .gguf file.");
        RefuseFolderWithoutConfig(path);
        ModelConfig config = ConfigReader.Read(System.IO.Path.Combine(path, "config.json"));
        WeightFiles weights = openWeights(path);
        try
        {
            return new ModelFolder(path, config, GenerationDefaults.Read(path, config), TokenizerSettings.Read(path), weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private static ModelFolder OpenGguf(string path)
    {
        GgufParts parts = GgufParts.Open(path);
        try
        {
            TokenizerTables? tables = GgufTokenizer.Tables(parts.Metadata);
            ModelConfig config = GgufConfigReader.Read(parts.Metadata, parts.Tensors, tables);
            return new ModelFolder(path, config, GenerationDefaults.Read(parts.Metadata, config), GgufTokenizer.Settings(parts.Metadata, tables), GgufWeights.Of(parts, config))
            {
                TokenizerTables = tables,
            };
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    /// <summary>Tokenizer and chat template of a GGUF file, which may hold nothing else.</summary>
    /// <exception cref="ModelLoadException">Broken, or without a tokenizer.</exception>
    public static (TokenizerTables Tables, TokenizerSettings Settings) ReadTokenizer(string path)
    {
        using GgufParts parts = GgufParts.Open(path);
        TokenizerTables tables = GgufTokenizer.Tables(parts.Metadata)
            ?? throw new ModelLoadException($"'{path}' holds no tokenizer (the keys tokenizer.ggml.*); name a GGUF file that has one.");
        return (tables, GgufTokenizer.Settings(parts.Metadata, tables));
    }

    private static void RefuseFolderWithoutConfig(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, "config.json"))) return;
        if (Directory.EnumerateFiles(path, "*" + GgufPartName.Extension).Order(StringComparer.Ordinal).FirstOrDefault() is { } gguf)
            throw new ModelLoadException($"'{path}' has no config.json but a GGUF file; name the file itself, such as '{gguf}'.");
        throw new ModelLoadException($"'{path}' has no config.json; name a folder with config.json, tokenizer.json and safetensors, or a GGUF file.");
    }

    /// <summary>
    /// A hash of all bytes of all weight files, whatever they are called. Files of 64 MiB and more are remembered by path, length and time of last change, and not
    /// read again while these stay.
    /// </summary>
    /// <param name="progress">While files are read, from several threads.</param>
    /// <param name="cancellation">Stops between reads.</param>
    /// <exception cref="ModelLoadException">A file cannot be read.</exception>
    public string HashWeights(IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default) =>
        WeightsHash.Of(_weights.Mapped, new VerifiedFiles(VerifiedFiles.DefaultPath), progress, cancellation);

    /// <param name="kvElementBytes">Bytes in which the backend stores one number of a key or value.</param>
    /// <param name="loadedBytes">What a tensor of a certain use takes in the backend; null: what it takes in its file.</param>
    public MemoryEstimate Estimate(int kvElementBytes = 4, Func<MatrixUse, HostTensor, long>? loadedBytes = null) =>
        MemoryEstimate.Of(Config, loadedBytes is null ? _weights.TensorBytes : _weights.Tensors.Values.Sum(t => BytesOf(t, loadedBytes)), kvElementBytes);

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

    private long BytesOf(HostTensor tensor, Func<MatrixUse, HostTensor, long> loadedBytes) => tensor.Name switch
    {
        WeightFiles.EmbeddingName => loadedBytes(MatrixUse.Embedding, tensor),
        WeightFiles.HeadName => Config.TiedEmbeddings ? 0 : loadedBytes(MatrixUse.Head, tensor), // some files repeat a tied embedding, which is not loaded twice
        _ => loadedBytes(MatrixUse.Layer, tensor),
    };

    private string? ExistingFile(string name)
    {
        string path = System.IO.Path.Combine(Path, name);
        return File.Exists(path) ? path : null;
    }
}
