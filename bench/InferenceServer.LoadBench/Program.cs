using System.CommandLine;
using System.Globalization;
using InferenceServer.LoadBench;

Option<string> url = new("--url") { Description = "The server, without /v1.", HelpName = "URL", DefaultValueFactory = _ => "http://127.0.0.1:8080" };
Option<string?> model = new("--model") { Description = "Model id. Default: the first the server lists.", HelpName = "ID" };
Option<string?> key = new("--api-key") { Description = "Sent as a bearer token.", HelpName = "KEY" };
Option<bool> chat = new("--chat") { Description = "Use /v1/chat/completions with words instead of /v1/completions with token ids." };
Option<bool> reconnect = new("--reconnect") { Description = "Open a connection for each request; for servers that close kept ones when they like." };
Option<int> requests = new("--requests") { Description = "How many.", HelpName = "COUNT", DefaultValueFactory = _ => 100 };
Option<int> concurrency = new("--concurrency") { Description = "In flight at most.", HelpName = "COUNT", DefaultValueFactory = _ => 8 };
Option<double?> rate = new("--rate") { Description = "Requests a second, Poisson arrivals. Default: as fast as --concurrency allows.", HelpName = "PER_SECOND" };
Option<string?> trace = new("--trace") { Description = "Replay arrivals and lengths of an Azure .csv or Mooncake .jsonl trace.", HelpName = "FILE" };
Option<double> speed = new("--speed") { Description = "Replay a trace this many times faster.", HelpName = "FACTOR", DefaultValueFactory = _ => 1 };
Option<string> input = new("--input") { Description = "Prompt tokens, such as 128 or 64-512; with a trace the upper bound.", HelpName = "TOKENS", DefaultValueFactory = _ => "64" };
Option<string> output = new("--output") { Description = "Completion tokens, likewise.", HelpName = "TOKENS", DefaultValueFactory = _ => "32" };
Option<int> prefix = new("--shared-prefix") { Description = "Prompt tokens that all requests share.", HelpName = "TOKENS" };
Option<double> temperature = new("--temperature") { Description = "0 is greedy.", HelpName = "NUMBER" };
Option<bool> natural = new("--natural-end") { Description = "Let answers end by themselves instead of at --output." };
Option<int> warmup = new("--warmup") { Description = "Requests before the measurement.", HelpName = "COUNT", DefaultValueFactory = _ => 4 };
Option<string?> goodput = new("--goodput") { Description = "Count requests that meet targets in ms: ttft:500,tpot:50,e2e:10000.", HelpName = "TARGETS" };
Option<string?> json = new("--json") { Description = "Also write the figures as JSON; - for standard output.", HelpName = "FILE" };
Option<int> seed = new("--seed") { Description = "Of arrivals, lengths and prompts.", HelpName = "NUMBER", DefaultValueFactory = _ => 1 };

RootCommand root = new("Puts load on any OpenAI-compatible server and reports TTFT, ITL, TPOT, E2E, throughput and goodput as clients saw them.")
{
    url, model, key, chat, reconnect, requests, concurrency, rate, trace, speed, input, output, prefix, temperature, natural, warmup, goodput, json, seed,
};
root.SetAction(async (parsed, cancellation) =>
{
    try
    {
        BenchOptions options = new()
        {
            Url = Uri.TryCreate(parsed.GetRequiredValue(url), UriKind.Absolute, out Uri? address) ? address : throw new FormatException("--url is no URL; write one such as http://127.0.0.1:8080."),
            Model = parsed.GetValue(model),
            ApiKey = parsed.GetValue(key),
            Chat = parsed.GetValue(chat),
            Reconnect = parsed.GetValue(reconnect),
            Requests = Positive(parsed.GetValue(requests), "--requests"),
            Concurrency = Positive(parsed.GetValue(concurrency), "--concurrency"),
            Rate = parsed.GetValue(rate),
            Trace = parsed.GetValue(trace),
            Speed = parsed.GetValue(speed),
            Input = LengthRange.Parse(parsed.GetRequiredValue(input)),
            Output = LengthRange.Parse(parsed.GetRequiredValue(output)),
            SharedPrefix = parsed.GetValue(prefix),
            Temperature = parsed.GetValue(temperature),
            IgnoreEndOfSequence = !parsed.GetValue(natural),
            Warmup = parsed.GetValue(warmup),
            Goodput = parsed.GetValue(goodput) is { } targets ? GoodputTargets.Parse(targets) : null,
            JsonFile = parsed.GetValue(json),
            Seed = parsed.GetValue(seed),
        };
        return await RunAsync(options, cancellation);
    }
    catch (Exception e) when (e is FormatException or InvalidDataException or IOException or HttpRequestException)
    {
        await Console.Error.WriteLineAsync("error: " + e.Message);
        return 2;
    }
});
return await root.Parse(args).InvokeAsync();

static int Positive(int value, string flag) => value > 0 ? value : throw new FormatException($"{flag} is {value.ToString(CultureInfo.InvariantCulture)}; it must be at least 1.");

static async Task<int> RunAsync(BenchOptions options, CancellationToken cancellation)
{
    using StreamingClient client = new(options);
    string model = options.Model ?? await client.FirstModelAsync(cancellation);
    LoadRun run = new(options, client, new PromptWriter(options, model));
    (IReadOnlyList<RequestRecord> records, double seconds) = await run.RunAsync(ArrivalPlan.Create(options), cancellation);
    BenchReport report = BenchReport.From(model, records, seconds, options.Goodput);
    if (options.JsonFile != "-") report.Write(Console.Out);
    if (options.JsonFile == "-") Console.Out.WriteLine(report.ToJson());
    else if (options.JsonFile is { } file) await File.WriteAllTextAsync(file, report.ToJson(), cancellation);
    return report.Failed == 0 ? 0 : 1;
}
