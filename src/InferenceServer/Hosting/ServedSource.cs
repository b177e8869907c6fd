using InferenceServer.Models;
using InferenceServer.Models.Manifest;
using InferenceServer.Options;

namespace InferenceServer.Hosting;

/// <summary>Which model is served under which id, decided before anything is loaded.</summary>
internal sealed record ServedSource
{
    public const string ManifestFolderName = "models-manifest";

    private ServedSource(string servedId, string path, ModelCatalog? catalog, ModelManifest? manifest)
    {
        ServedId = servedId;
        Path = path;
        Catalog = catalog;
        Manifest = manifest;
    }

    /// <summary>The id in /v1/models.</summary>
    public string ServedId { get; }

    /// <summary>A Hugging Face folder, or a GGUF file.</summary>
    public string Path { get; }

    public ModelCatalog? Catalog { get; }

    /// <summary>Set when the model is named by its id: its files are then held to the manifest's hashes.</summary>
    public ModelManifest? Manifest { get; }

    /// <exception cref="StartupException">Neither a folder, nor a GGUF file, nor the id of a model whose files are here.</exception>
    public static ServedSource Resolve(ModelOptions options)
    {
        string path = options.Path;
        if (ModelFolder.IsGguf(path) && !File.Exists(path))
            throw new StartupException($"--model '{path}' does not exist. Give the path of a GGUF file, of a Hugging Face folder, or the id of a model.");
        if (File.Exists(path) && !ModelFolder.IsGguf(path))
            throw new StartupException($"--model '{path}' is a file that does not end in .gguf. Give a GGUF file, or the folder of a Hugging Face model.");
        bool isFolder = Directory.Exists(path) && (path.AsSpan().ContainsAny('/', '\\') || File.Exists(System.IO.Path.Combine(path, "config.json")));
        if (isFolder || File.Exists(path))
        {
            string full = System.IO.Path.GetFullPath(path).TrimEnd('/', '\\');
            return new ServedSource(options.ServedName ?? ModelFolder.NameOf(full), full, null, null);
        }

        string catalogFolder = CatalogFolder(options.ManifestFolder);
        ModelCatalog catalog = OpenCatalog(catalogFolder);
        ModelManifest manifest = catalog.Find(path) ?? throw new StartupException(
            $"--model '{path}' is neither a GGUF file, nor a folder with a config.json, nor an id in '{catalogFolder}' ({string.Join(", ", catalog.Models.Select(m => m.Id))}). "
            + "Give the path of one of these, or an id.");
        string folder = catalog.FolderOf(manifest) ?? throw new StartupException(
            $"The files of '{path}' are not shipped, and this server downloads nothing. Get {manifest.Source.Repository} and give its folder: --model FOLDER, or a GGUF file of it: --model FILE.");
        return new ServedSource(options.ServedName ?? manifest.Id, folder, catalog, manifest);
    }

    /// <summary>Opens the files; a model named by its id is verified first.</summary>
    /// <exception cref="ModelLoadException">Not what its manifest says, or broken.</exception>
    public ModelFolder Open() => Manifest is null ? ModelFolder.Open(Path) : Catalog!.OpenModel(Manifest.Id);

    /// <exception cref="StartupException">There is no such folder.</exception>
    public static string CatalogFolder(string? folder) => folder ?? FindManifests() ?? throw new StartupException(
        $"There is no folder {ManifestFolderName} beside the program or above the working directory. Name one with --manifest FOLDER.");

    private static ModelCatalog OpenCatalog(string folder)
    {
        try
        {
            return ModelCatalog.Open(folder);
        }
        catch (ModelLoadException e)
        {
            throw new StartupException(e.Message, e);
        }
    }

    private static string? FindManifests() => new[] { AppContext.BaseDirectory, Directory.GetCurrentDirectory() }
        .SelectMany(start => Above(new DirectoryInfo(start)))
        .Select(folder => System.IO.Path.Combine(folder.FullName, ManifestFolderName))
        .FirstOrDefault(Directory.Exists);

    private static IEnumerable<DirectoryInfo> Above(DirectoryInfo? folder)
    {
        for (; folder is not null; folder = folder.Parent) yield return folder;
    }
}
