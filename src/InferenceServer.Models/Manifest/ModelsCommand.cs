using System.Globalization;

namespace InferenceServer.Models.Manifest;

/// <summary>The commands <c>models list | show | verify</c>. Each returns the process's exit code: 0 done and right, 1 otherwise.</summary>
public static class ModelsCommand
{
    private const string NoHashes = "the manifest holds no hashes, so nothing can be verified";

    /// <param name="catalogFolder">models-manifest/.</param>
    /// <param name="output">One line a model.</param>
    /// <param name="error">A sentence if it fails.</param>
    public static int List(string catalogFolder, TextWriter output, TextWriter error) => Run(catalogFolder, error, catalog =>
    {
        int width = catalog.Models.Select(m => m.Id.Length).DefaultIfEmpty(2).Max();
        output.WriteLine($"{"ID".PadRight(width)}  {"PARAMETERS",10}  {"CONTEXT",8}  {"SHIPPED",-7}  {"ARCHITECTURE",-20}  LICENCE");
        foreach (ModelManifest model in catalog.Models)
            output.WriteLine(
                $"{model.Id.PadRight(width)}  {Rounded(model.Parameters),10}  {model.ContextLength,8}  "
                + $"{(model.Folder is null ? "no" : "yes"),-7}  {model.Architecture,-20}  {model.Licence}");
        return 0;
    });

    /// <param name="catalogFolder">models-manifest/.</param>
    /// <param name="id">Which model.</param>
    /// <param name="output">One line a fact.</param>
    /// <param name="error">A sentence if it fails.</param>
    public static int Show(string catalogFolder, string id, TextWriter output, TextWriter error) => Run(catalogFolder, error, catalog =>
    {
        ModelManifest model = catalog.Get(id);
        Write(output, "id", model.Id);
        Write(output, "name", model.Name);
        Write(output, "description", model.Description);
        Write(output, "source", string.Join(' ', new[] { model.Source.Kind, model.Source.Repository, model.Source.Revision, model.Source.Detail }.OfType<string>()));
        Write(output, "licence", model.Licence);
        Write(output, "architecture", model.Architecture);
        Write(output, "parameters", model.Parameters.ToString("N0", CultureInfo.InvariantCulture));
        Write(output, "context", $"{model.ContextLength} tokens");
        Write(output, "folder", catalog.FolderOf(model) ?? "not shipped");
        if (model.Price is { } price)
            Write(output, "price", $"{price.InputPerMillionTokens} in, {price.CachedInputPerMillionTokens} cached, {price.OutputPerMillionTokens} out ({price.Currency} per million tokens)");
        if (model.Goldens is { } goldens) Write(output, "goldens", $"{goldens.File}, at least {goldens.MinimumShare:P0} right");
        foreach (ModelFile file in model.Files) Write(output, "file", $"{file.Path}  {file.Bytes} bytes  sha256 {file.Sha256}");
        if (model.Files.Count == 0) Write(output, "files", NoHashes);
        return 0;
    });

    /// <param name="catalogFolder">models-manifest/.</param>
    /// <param name="id">Which model; null: every one that is shipped.</param>
    /// <param name="modelFolder">Where its files are; null: where they are shipped.</param>
    /// <param name="output">One line a file.</param>
    /// <param name="error">A sentence if it fails.</param>
    public static int Verify(string catalogFolder, string? id, string? modelFolder, TextWriter output, TextWriter error) => Run(catalogFolder, error, catalog =>
    {
        if (id is not null) return VerifyOne(catalog, catalog.Get(id), modelFolder, output, error);
        if (modelFolder is not null) throw new ModelLoadException("A folder was given without a model; say which model it should be.");
        int exit = 0;
        foreach (ModelManifest model in catalog.Models.Where(m => m.Folder is not null))
            exit |= VerifyOne(catalog, model, null, output, error);
        return exit;
    });

    private static int VerifyOne(ModelCatalog catalog, ModelManifest model, string? folder, TextWriter output, TextWriter error)
    {
        if (model.Files.Count == 0)
        {
            error.WriteLine($"{model.Id}: {NoHashes}.");
            return 1;
        }

        folder ??= catalog.FolderOf(model);
        if (folder is null)
        {
            error.WriteLine($"{model.Id}: not shipped; name the folder that holds its files.");
            return 1;
        }

        int exit = 0;
        foreach (FileVerdict verdict in ModelCatalog.Verify(model, folder))
        {
            output.WriteLine($"{model.Id}: {verdict.Path} {verdict.Problem ?? "ok"}");
            if (verdict.Problem is not null) exit = 1;
        }

        return exit;
    }

    private static int Run(string catalogFolder, TextWriter error, Func<ModelCatalog, int> command)
    {
        try
        {
            return command(ModelCatalog.Open(catalogFolder));
        }
        catch (ModelLoadException e)
        {
            error.WriteLine(e.Message);
            return 1;
        }
    }

    private static void Write(TextWriter output, string name, string value) => output.WriteLine($"{name,-13} {value}");

    private static string Rounded(long parameters) => parameters >= 1_000_000_000
        ? (parameters / 1e9).ToString("0.0 B", CultureInfo.InvariantCulture)
        : (parameters / 1e6).ToString("0.0 M", CultureInfo.InvariantCulture);
}
