using System.CommandLine;
using InferenceServer.Evaluation;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using Microsoft.Extensions.Logging.Abstractions;

namespace InferenceServer.Commands;

/// <summary>eval: asks a model its golden questions through the whole engine and reports the share answered right.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        Option<string?> goldens = new("--goldens") { Description = "JSON lines of questions. Default: the ones its manifest names.", HelpName = "FILE" };
        Option<bool> wrong = new("--show-wrong") { Description = "Print every question that was answered wrong." };
        Command command = new("eval", "Ask the model its golden questions; exit code 1 if fewer are right than its manifest promises.") { goldens, wrong };
        OptionReader reader = new(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            (ServerOptions? options, IReadOnlyList<string> errors) = reader.Read(parsed, Environment.GetEnvironmentVariable);
            foreach (string sentence in errors) await Console.Error.WriteLineAsync("error: " + sentence);
            if (options is null) return 2;
            try
            {
                return await RunAsync(options, parsed.GetValue(goldens), parsed.GetValue(wrong), cancellation);
            }
            catch (StartupException e)
            {
                await Console.Error.WriteLineAsync("error: " + e.Message);
                return 2;
            }
        });
        return command;
    }

    private static async Task<int> RunAsync(ServerOptions options, string? file, bool showWrong, CancellationToken cancellation)
    {
        ServedSource source = ServedSource.Resolve(options.Model);
        string path = file ?? GoldensOf(source);
        IReadOnlyList<GoldenQuestion> questions = GoldenQuestion.ReadFile(path);
        await using LoadedModel model = await ModelLoader.LoadAsync(source, options, new DeviceChoice().Choose(options, NullLogger.Instance), null, NullLogger.Instance, cancellation);
        EvaluationReport report = await Evaluator.RunAsync(model.Served, questions, cancellation);
        report.Write(Console.Out, showWrong);
        double promised = source.Manifest?.Goldens?.MinimumShare ?? 0;
        if (report.Share >= promised) return 0;
        await Console.Error.WriteLineAsync($"error: {report.Share:P1} are right; the manifest promises {promised:P1}.");
        return 1;
    }

    private static string GoldensOf(ServedSource source) => source.Manifest is { } manifest && source.Catalog!.GoldensOf(manifest) is { } file
        ? file
        : throw new StartupException($"'{source.ServedId}' has no manifest that names golden questions; give them with --goldens FILE.");
}
