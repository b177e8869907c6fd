using System.CommandLine;

namespace InferenceServer.Commands;

/// <summary>The command line: serving is what happens without a command; everything else is named.</summary>
internal static class RootCommands
{
    public static async Task<int> RunAsync(string[] args)
    {
        RootCommand root = new("""
            Serves Llama- and Mistral-family models over OpenAI-compatible HTTP and gRPC.
            Without a command it serves the built-in demo model on http://127.0.0.1:8080.
            Every option is also an environment variable: --kv-block-size is InferenceServer__Kv__BlockSize.
            """);
        ServeCommand.AddTo(root);
        root.Subcommands.Add(ModelsCommands.Create());
        root.Subcommands.Add(TextCommands.Tokenize());
        root.Subcommands.Add(TextCommands.Render());
        root.Subcommands.Add(EvalCommand.Create());
        root.Subcommands.Add(DoctorCommand.Create());
        root.Subcommands.Add(HealthCommand.Create());
        ParseResult parsed = root.Parse(args);
        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    }
}
