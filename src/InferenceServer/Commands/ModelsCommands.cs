using System.CommandLine;
using InferenceServer.Hosting;
using InferenceServer.Models.Manifest;

namespace InferenceServer.Commands;

/// <summary>models list | show | verify.</summary>
internal static class ModelsCommands
{
    public static Command Create()
    {
        Command models = new("models", "What models-manifest knows: list, show ID, verify ID.");
        Option<string?> manifest = new("--manifest") { Description = "Folder of the manifests. Default: models-manifest beside the program or above the working directory.", HelpName = "FOLDER", Recursive = true };
        models.Options.Add(manifest);

        Command list = new("list", "All models, a line each, and whether their files are here.");
        list.SetAction(parsed => Run(parsed.GetValue(manifest), catalog => ModelsCommand.List(catalog, Console.Out)));

        Argument<string> id = new("ID") { Description = "A model's id." };
        Command show = new("show", "One manifest, readable.") { id };
        show.SetAction(parsed => Run(parsed.GetValue(manifest), catalog => ModelsCommand.Show(catalog, parsed.GetRequiredValue(id), Console.Out)));

        Argument<string> verified = new("ID") { Description = "A model's id." };
        Option<string?> folder = new("--folder") { Description = "Where its files are, if not where the manifest says.", HelpName = "FOLDER" };
        Command verify = new("verify", "Hash a model's files and compare with the manifest.") { verified, folder };
        verify.SetAction(parsed => Run(parsed.GetValue(manifest), catalog => ModelsCommand.Verify(catalog, parsed.GetRequiredValue(verified), parsed.GetValue(folder), Console.Out)));

        models.Subcommands.Add(list);
        models.Subcommands.Add(show);
        models.Subcommands.Add(verify);
        return models;
    }

    private static int Run(string? folder, Func<ModelCatalog, int> command)
    {
        try
        {
            return command(ModelSource.OpenCatalog(folder));
        }
        catch (StartupException e)
        {
            Console.Error.WriteLine("error: " + e.Message);
            return 2;
        }
    }
}
