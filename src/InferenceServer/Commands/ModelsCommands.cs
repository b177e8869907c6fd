using System.CommandLine;
using InferenceServer.Hosting;
using InferenceServer.Models.Manifest;

namespace InferenceServer.Commands;

/// <summary>models list | show | verify.</summary>
internal static class ModelsCommands
{
    public static Command Create()
    {
        Command models = new("models", "What models-manifest knows: list, show ID, verify [ID].");
        Option<string?> manifest = new("--manifest") { Description = "Folder of the manifests. Default: models-manifest beside the program or above the working directory.", HelpName = "FOLDER", Recursive = true };
        models.Options.Add(manifest);

        Command list = new("list", "All models, a line each.");
        list.SetAction(parsed => Run(parsed.GetValue(manifest), folder => ModelsCommand.List(folder, Console.Out, Console.Error)));

        Argument<string> id = new("ID") { Description = "A model's id." };
        Command show = new("show", "One manifest, readable.") { id };
        show.SetAction(parsed => Run(parsed.GetValue(manifest), folder => ModelsCommand.Show(folder, parsed.GetRequiredValue(id), Console.Out, Console.Error)));

        Argument<string?> verified = new("ID") { Description = "A model's id; every shipped model without one.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> files = new("--folder") { Description = "Where its files are, if they are not shipped.", HelpName = "FOLDER" };
        Command verify = new("verify", "Hash a model's files and compare with the manifest.") { verified, files };
        verify.SetAction(parsed => Run(parsed.GetValue(manifest),
            folder => ModelsCommand.Verify(folder, parsed.GetValue(verified), parsed.GetValue(files), Console.Out, Console.Error)));

        models.Subcommands.Add(list);
        models.Subcommands.Add(show);
        models.Subcommands.Add(verify);
        return models;
    }

    private static int Run(string? folder, Func<string, int> command)
    {
        try
        {
            return command(ServedSource.CatalogFolder(folder));
        }
        catch (StartupException e)
        {
            Console.Error.WriteLine("error: " + e.Message);
            return 2;
        }
    }
}
