using System.CommandLine;
using InferenceServer.Soak;

Option<Uri?> url = new("--url")
{
    Description = "A running server, without /v1. Default: start one with the demo model, and watch its memory.",
    HelpName = "URL",
    CustomParser = result => Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out Uri? parsed) ? parsed : null,
};
Option<int> requests = new("--requests") { Description = "How many.", HelpName = "COUNT", DefaultValueFactory = _ => 100_000 };
Option<int> concurrency = new("--concurrency") { Description = "In flight at most.", HelpName = "COUNT", DefaultValueFactory = _ => 48 };
Option<int> slow = new("--slow-readers") { Description = "Readers of a few bytes a second, present all the time.", HelpName = "COUNT", DefaultValueFactory = _ => 4 };
Option<int> seed = new("--seed") { Description = "Of the mix and of what is in it.", HelpName = "NUMBER", DefaultValueFactory = _ => 1 };
Option<string?> server = new("--server") { Description = "InferenceServer.dll to start. Default: the one built in this program's configuration.", HelpName = "FILE" };
Option<string[]> serverOption = new("--server-option") { Description = "An argument for the started server, such as --server-option=--kv-memory=64M; may be repeated.", HelpName = "ARGUMENT" };
Option<string?> data = new("--data") { Description = "Folder that holds bad-inputs. Default: ../shared/data beside the repository.", HelpName = "FOLDER" };
Option<string?> json = new("--json") { Description = "Also write the figures as JSON.", HelpName = "FILE" };

RootCommand root = new("Storms a real server with good, bad, oversized, aborted and slow requests; fails on a crash, a leak, a wrong answer or growing memory.")
{
    url, requests, concurrency, slow, seed, server, serverOption, data, json,
};
root.SetAction(async (parsed, cancellation) =>
{
    SoakOptions options = new()
    {
        Url = parsed.GetValue(url),
        Requests = Math.Max(1, parsed.GetValue(requests)),
        Concurrency = Math.Max(1, parsed.GetValue(concurrency)),
        SlowReaders = Math.Max(0, parsed.GetValue(slow)),
        Seed = parsed.GetValue(seed),
        ServerFile = parsed.GetValue(server),
        ServerArguments = parsed.GetValue(serverOption) ?? [],
        DataFolder = parsed.GetValue(data),
        JsonFile = parsed.GetValue(json),
        Command = "dotnet run --project bench/InferenceServer.Soak -c Release -- " + string.Join(' ', args),
    };
    try
    {
        SoakReport report = await SoakRun.RunAsync(options, cancellation);
        report.Write(Console.Out);
        if (options.JsonFile is { } file) await File.WriteAllTextAsync(file, report.ToJson() + "\n", cancellation);
        return report.Passed ? 0 : 1;
    }
    catch (Exception e) when (e is SoakException or HttpRequestException or IOException)
    {
        await Console.Error.WriteLineAsync("error: " + e.Message);
        return 2;
    }
});
return await root.Parse(args).InvokeAsync();
