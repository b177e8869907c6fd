using System.CommandLine;
using System.Globalization;
using InferenceServer.PacedStreams;

Option<int[]> streams = new("--streams") { Description = "How many at once, a round each.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [64, 256, 1000] };
Option<int> rate = new("--rate") { Description = "Tokens of each stream a second.", DefaultValueFactory = _ => 50 };
Option<double> seconds = new("--seconds") { Description = "Measured time of a round.", DefaultValueFactory = _ => 4 };
Option<int> runs = new("--runs") { Description = "Of each round: on a busy machine the best is nearest to the truth.", DefaultValueFactory = _ => 1 };
Option<string?> json = new("--json") { Description = "Also write the figures as JSON.", HelpName = "FILE" };
Argument<int> port = new("port"), count = new("streams"), maxTokens = new("max-tokens");

Command client = new("client", "The reading side; the command starts it by itself.") { port, count, maxTokens };
client.SetAction((parsed, _) => ClientProcess.RunAsync(parsed.GetValue(port), parsed.GetValue(count), parsed.GetValue(maxTokens)));
RootCommand root = new("Streams of a fake model at a fixed pace through the real HTTP door: what a token costs the server, and how late it leaves.")
{
    streams, rate, seconds, runs, json, client,
};
root.SetAction(async (parsed, cancellation) =>
{
    List<RoundResult> rounds = [];
    Console.WriteLine("streams  tokens/s  server us/token  writes/token  bytes/token  emit-to-flush p50 / p99 ms  emit-to-receive p50 / p99 ms  other load");
    try
    {
        foreach (int streamsAtOnce in parsed.GetRequiredValue(streams))
        {
            for (int run = 0; run < parsed.GetValue(runs); run++)
            {
                RoundResult round = await Round.RunAsync(streamsAtOnce, parsed.GetValue(rate), parsed.GetValue(seconds));
                rounds.Add(round);
                Console.WriteLine(Line(round));
            }
        }

        if (parsed.GetValue(json) is { } file) await File.WriteAllTextAsync(file, PacedReport.ToJson(rounds, args), cancellation);
        return 0;
    }
    catch (Exception e) when (e is InvalidOperationException or ArgumentException or IOException)
    {
        await Console.Error.WriteLineAsync("error: " + e.Message);
        return 2;
    }
});
return await root.Parse(args).InvokeAsync();

static string Line(RoundResult round) => string.Create(
    CultureInfo.InvariantCulture,
    $"{round.Streams,7}  {round.TokensPerSecond,8:F0}  {round.ServerCpuMicrosecondsPerToken,15:F1}  {round.WritesPerToken,12:F2}  {round.AllocatedBytesPerToken,11:F0}"
    + $"  {round.EmitToFlush.P50,17:F2} / {round.EmitToFlush.P99,6:F2}  {round.EmitToReceive.P50,19:F2} / {round.EmitToReceive.P99,6:F2}  {round.OthersShareOfProcessors,10:P0}");
