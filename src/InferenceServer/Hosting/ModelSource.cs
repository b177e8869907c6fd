using InferenceServer.Models.Manifest;
using InferenceServer.Options;

namespace InferenceServer.Hosting;

/// <summary>Which folder is served under which id, decided before anything is loaded.</summary>
/// <param name="ServedId">The id in /v1/models.</param>
/// <param name="Folder">A Hugging Face folder.</param>
/// <param name="Manifest">Set when the model is named by a manifest: its files are held to their hashes.</param>
internal sealed record ModelSource(string ServedId, string Folder, ModelManifest? Manifest)
{
    public const string ManifestFolderName = "models-manifest";

    /// <exception cref="StartupException">Neither a folder nor an id of a manifest whose files are here.</exception>
    public static ModelSource Resolve(ModelOptions options)
    {
        string path = options.Path;
        if (Directory.Exists(path) && (path.Contains('/') || path.Contains('\\') || File.Exists(Path.Combine(path, "config.json"))))
        {
            string full = Path.GetFullPath(path).TrimEnd('/', '\\');
            return new ModelSource(options.ServedName ?? Path.GetFileName(full), full, null);
        }

        ModelCatalog catalog = OpenCatalog(options.ManifestFolder);
        ModelManifest? manifest = catalog.Find(path);
        if (manifest is null)
        {
            throw new StartupException($"--model '{path}' is neither a folder with a config.json nor an id in {catalog.Folder} ({string.Join(", ", catalog.Models.Select(m => m.Id))}). "
                + "Give the path of a Hugging Face folder, or one of these ids.");
        }

        string? folder = manifest.Folder is null ? null : Path.Combine(catalog.Folder, manifest.Folder);
        if (folder is null || !Directory.Exists(folder))
        {
            throw new StartupException($"The weights of '{path}' are not here: this server downloads nothing. Get {manifest.Source.Repository ?? "them"} and give its folder with --model FOLDER.");
        }

        return new ModelSource(options.ServedName ?? manifest.Id, folder, manifest);
    }

    /// <exception cref="StartupException">There is no such folder, or a manifest in it is broken.</exception>
    public static ModelCatalog OpenCatalog(string? folder)
    {
        string found = folder ?? FindManifests()
            ?? throw new StartupException($"There is no folder {ManifestFolderName} beside the program or above the working directory. Name one with --manifest FOLDER.");
        try
        {
            return ModelCatalog.Open(found);
        }
        catch (Exception e) when (e is InferenceServer.Models.ModelLoadException or IOException)
        {
            throw new StartupException(e.Message, e);
        }
    }

    private static string? FindManifests() => new[] { AppContext.BaseDirectory, Directory.GetCurrentDirectory() }
        .SelectMany(start => Above(new DirectoryInfo(start)))
        .Select(folder => Path.Combine(folder.FullName, ManifestFolderName))
        .FirstOrDefault(Directory.Exists);

    private static IEnumerable<DirectoryInfo> Above(DirectoryInfo? folder)
    {
        for (; folder is not null; folder = folder.Parent) yield return folder;
    }
}
