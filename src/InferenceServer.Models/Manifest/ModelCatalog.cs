namespace InferenceServer.Models.Manifest;

/// <summary>All manifests of a folder. Immutable and thread-safe.</summary>
public sealed class ModelCatalog
{
    private readonly string _folder;

    private ModelCatalog(string folder, IReadOnlyList<ModelManifest> models)
    {
        _folder = folder;
        Models = models;
    }

    /// <summary>Sorted by id.</summary>
    public IReadOnlyList<ModelManifest> Models { get; }

    /// <param name="folder">models-manifest/.</param>
    /// <exception cref="ModelLoadException">The folder is missing, or a manifest is broken.</exception>
    public static ModelCatalog Open(string folder)
    {
        if (!Directory.Exists(folder)) throw new ModelLoadException($"'{folder}' is not a folder; expected one with a JSON file for each model.");
        IEnumerable<string> paths = Directory.EnumerateFiles(folder, "*.json")
            .Where(p => !p.EndsWith(".schema.json", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        return new ModelCatalog(folder, [.. paths.Select(ManifestReader.Read)]);
    }

    /// <summary>Null if there is none of that id.</summary>
    public ModelManifest? Find(string id) => Models.FirstOrDefault(m => m.Id == id);

    /// <exception cref="ModelLoadException">There is none of that id.</exception>
    public ModelManifest Get(string id) =>
        Find(id) ?? throw new ModelLoadException($"There is no model '{id}' in '{_folder}'; known are {string.Join(", ", Models.Select(m => m.Id))}.");

    /// <summary>Where a shipped model's files are; null if it is not shipped.</summary>
    public string? FolderOf(ModelManifest manifest) => manifest.Folder is { } folder ? Path.Combine(_folder, folder) : null;

    /// <summary>Where a model's goldens are; null if it has none.</summary>
    public string? GoldensOf(ModelManifest manifest) => manifest.Goldens is { } goldens ? Path.Combine(_folder, goldens.File) : null;

    /// <summary>Hashes every file the manifest names, whatever was verified before. Empty if the manifest holds no hashes.</summary>
    /// <param name="manifest">Names the files.</param>
    /// <param name="folder">Holds them.</param>
    /// <param name="progress">After each file, from several threads.</param>
    /// <param name="cancellation">Stops between reads.</param>
    public static IReadOnlyList<FileVerdict> Verify(
        ModelManifest manifest, string folder, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default) =>
        manifest.Files.Count == 0 ? [] : FileVerifier.Verify(manifest, folder, memory: null, progress, cancellation);

    /// <summary>
    /// Opens a model after its files were held against the manifest. Files of 64 MiB and more that were found right before and have not
    /// changed since are not hashed again. A manifest without hashes checks nothing but the architecture.
    /// </summary>
    /// <param name="id">Of the manifest.</param>
    /// <param name="folder">Where the files are; null: where they are shipped.</param>
    /// <param name="progress">After each file, from several threads.</param>
    /// <param name="cancellation">Stops between reads.</param>
    /// <exception cref="ModelLoadException">Unknown, not on this machine, not what the manifest says, or broken.</exception>
    public ModelFolder OpenModel(string id, string? folder = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ModelManifest manifest = Get(id);
        folder ??= FolderOf(manifest) ?? throw new ModelLoadException(
            $"The model '{id}' is not shipped; download {manifest.Source.Repository} into a folder and name that folder.");
        if (manifest.Files.Count > 0)
        {
            VerifiedFiles memory = new(VerifiedFiles.DefaultPath);
            FileVerdict? bad = FileVerifier.Verify(manifest, folder, memory, progress, cancellation).FirstOrDefault(v => v.Problem is not null);
            if (bad is not null) throw new ModelLoadException($"The model '{id}' is refused: '{Path.Combine(folder, bad.Path)}' {bad.Problem}.");
        }

        ModelFolder model = ModelFolder.Open(folder);
        try
        {
            CheckOpened(model, manifest);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static void CheckOpened(ModelFolder model, ModelManifest manifest)
    {
        if (model.Config.Architecture != manifest.Architecture)
            throw new ModelLoadException(
                $"'{model.Path}' holds a {model.Config.Architecture}, but the manifest of '{manifest.Id}' says {manifest.Architecture}; it is another model.");
        if (manifest.Files.Count == 0) return;
        foreach (string path in model.WeightPaths)
            if (manifest.Files.All(f => f.Path != Path.GetFileName(path)))
                throw new ModelLoadException($"The model '{manifest.Id}' is refused: '{path}' is a shard that the manifest does not name, so its hash is unknown.");
    }
}
