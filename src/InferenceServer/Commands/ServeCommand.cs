using System.CommandLine;
using InferenceServer.Hosting;
using InferenceServer.Options;

namespace InferenceServer.Commands;

/// <summary>Starts the server and runs until it is told to stop.</summary>
internal static class ServeCommand
{
    public static void AddTo(RootCommand root)
    {
        OptionReader reader = new(root);
        root.SetAction(async (parsed, cancellation) =>
        {
            (ServerOptions? options, IReadOnlyList<string> errors) = reader.Read(parsed, Environment.GetEnvironmentVariable);
            if (options is null) return Refuse(errors);
            try
            {
                await using ServerHost host = await ServerHost.StartAsync(options, cancellation);
                return await host.RunAsync();
            }
            catch (StartupException e)
            {
                return Refuse([e.Message]);
            }
        });
    }

    private static int Refuse(IReadOnlyList<string> sentences)
    {
        foreach (string sentence in sentences) Console.Error.WriteLine("error: " + sentence);
        return 2;
    }
}
