using System.CommandLine;
using System.Globalization;
using InferenceServer.Evaluation;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using Microsoft.Extensions.Logging.Abstractions;

namespace InferenceServer.Commands;

/// <summary>
/// eval: asks a model its golden questions through the whole engine and reports the share answered right; or, with --against f32, runs it beside itself in
/// f32 and reports how far its predictions have moved.
/// </summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        Option<string?> goldens = new("--goldens") { Description = "JSON lines of questions. Default: the ones its manifest names.", HelpName = "FILE" };
        Option<bool> wrong = new("--show-wrong") { Description = "Print every question that was answered wrong." };
        Option<string?> against = new("--against") { Description = "Instead, compare the model as the other options load it with itself in f32, on the CPU: KL divergence, top-1 agreement, perplexity.", HelpName = "f32" };
        Option<string?> text = new("--text") { Description = "With --against: a text file to compare over. Default: the golden questions and their answers; without those a short built-in text.", HelpName = "FILE" };
        Option<string?> reference = new("--reference") { Description = "With --against: the model that is loaded in f32, such as the file that a quantized one was made of. Default: the model itself.", HelpName = "ID|PATH" };
        Option<double?> maxKl = new("--max-kl") { Description = "With --against: exit code 1 if the mean KL divergence is above this.", HelpName = "NATS" };
        Command command = new("eval", "Ask the model its golden questions; exit code 1 if fewer are right than its manifest promises.") { goldens, wrong, against, reference, text, maxKl };
        OptionReader reader = new(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            (ServerOptions? options, IReadOnlyList<string> errors) = reader.Read(parsed, Environment.GetEnvironmentVariable);
            foreach (string sentence in errors) await Console.Error.WriteLineAsync("error: " + sentence);
            if (options is null) return 2;
            try
            {
                ComparisonRequest request = new(parsed.GetValue(reference), parsed.GetValue(goldens), parsed.GetValue(text), parsed.GetValue(maxKl));
                return parsed.GetValue(against) switch
                {
                    null when request is { Reference: null, TextFile: null, MaxKl: null } => await AskAsync(options, request.GoldensFile, parsed.GetValue(wrong), cancellation),
                    null => throw new StartupException("--reference, --text and --max-kl belong to a comparison; add --against f32."),
                    "f32" => await CompareAsync(options, request, cancellation),
                    string other => throw new StartupException($"--against is '{other}'; f32 is what a model can be compared with."),
                };
            }
            catch (StartupException e)
            {
                await Console.Error.WriteLineAsync("error: " + e.Message);
                return 2;
            }
        });
        return command;
    }

    private static async Task<int> AskAsync(ServerOptions options, string? file, bool showWrong, CancellationToken cancellation)
    {
        ServedSource source = ServedSource.Resolve(options.Model);
        string path = file ?? GoldensOf(source)
            ?? throw new StartupException($"'{source.ServedId}' has no manifest that names golden questions; give them with --goldens FILE.");
        IReadOnlyList<GoldenQuestion> questions = GoldenQuestion.ReadFile(path);
        await using LoadedModel model = await ModelLoader.LoadAsync(source, options, new DeviceChoice().Choose(options, NullLogger.Instance), null, NullLogger.Instance, cancellation);
        EvaluationReport report = await Evaluator.RunAsync(model.Served, questions, cancellation);
        report.Write(Console.Out, showWrong);
        double promised = source.Manifest?.Goldens?.MinimumShare ?? 0;
        if (report.Share >= promised) return 0;
        await Console.Error.WriteLineAsync($"error: {report.Share:P1} are right; the manifest promises {promised:P1}.");
        return 1;
    }

    private static async Task<int> CompareAsync(ServerOptions options, ComparisonRequest request, CancellationToken cancellation)
    {
        if (DeviceName.TryParse(options.Model.Device, out DeviceName device) && device.Kind == DeviceKind.Cuda)
            throw new StartupException($"--against f32 compares on the CPU, but --device is {options.Model.Device}; use --device cpu.");
        ServedSource source = ServedSource.Resolve(options.Model);
        ServedSource reference = request.Reference is { } other ? ServedSource.Resolve(options.Model with { Path = other }) : source;
        string? goldens = request.GoldensFile ?? GoldensOf(source);
        Divergence divergence = await ModelComparison.RunAsync(reference, source, options, async (model, token) =>
            request.TextFile is { } file ? EvaluationTexts.FromFile(model.Served, file)
            : goldens is { } path ? await EvaluationTexts.FromGoldensAsync(model, GoldenQuestion.ReadFile(path), token)
            : EvaluationTexts.FromBuiltIn(model.Served), cancellation);
        divergence.Write(Console.Out);
        if (request.MaxKl is not { } bound || divergence.MeanKl <= bound) return 0;
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"error: the mean KL divergence is {divergence.MeanKl:E3} nats; --max-kl allows {bound:E3}."));
        return 1;
    }

    private static string? GoldensOf(ServedSource source) => source.Manifest is { } manifest ? source.Catalog!.GoldensOf(manifest) : null;

    /// <summary>What a model is compared with and over, and how far apart the two may be.</summary>
    private sealed record ComparisonRequest(string? Reference, string? GoldensFile, string? TextFile, double? MaxKl);
}
