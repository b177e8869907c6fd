using System.CommandLine;
using System.Text.Json;
using InferenceServer.CpuBench;
using InferenceServer.CpuBench.Model;
using InferenceServer.CpuBench.Peer;
using InferenceServer.CpuBench.Reports;
using InferenceServer.CpuBench.Runs;
using InferenceServer.CpuBench.Servers;

Option<string?> llamaCpp = new("--llama-cpp") { Description = "Folder of llama.cpp's programs, usually build/bin of its source.", HelpName = "FOLDER" };
Option<string> folder = new("--folder") { Description = "Where made models are kept.", HelpName = "FOLDER", DefaultValueFactory = _ => ModelFiles.DefaultFolder };
Option<string> shape = new("--shape") { Description = "One of " + string.Join(", ", LlamaShape.All.Select(s => s.Name)) + ".", HelpName = "NAME", DefaultValueFactory = _ => LlamaShape.TinyLlama.Name };
Option<string> formats = new("--formats") { Description = "Weight formats, separated by commas.", HelpName = "NAMES", DefaultValueFactory = _ => "q4_0,q4_k_m,q8_0,bf16,f16" };
Option<string> cases = new("--cases") { Description = "Cases, separated by commas.", HelpName = "NAMES", DefaultValueFactory = _ => string.Join(',', BenchCase.All) };
Option<int> threads = new("--threads") { Description = "Of either side.", HelpName = "COUNT", DefaultValueFactory = _ => 2 };
Option<string> flash = new("--fa") { Description = "llama.cpp's flash attention: on or off.", HelpName = "on|off", DefaultValueFactory = _ => "on" };

Command makeModel = new("make-model", "Makes the model files and prints their paths.") { formats, folder, shape, llamaCpp };
makeModel.SetAction(parsed => Guard(() =>
{
    foreach (WeightFormat format in Formats(parsed)) Console.Out.WriteLine(Files(parsed).Ensure(format, Console.Error));
}));

Command theirs = new("theirs", "One run of llama.cpp for each format and case: a line of JSON each.") { formats, cases, threads, flash, folder, shape, llamaCpp };
theirs.SetAction(parsed => Guard(() =>
{
    foreach (WeightFormat format in Formats(parsed))
    {
        string file = Files(parsed).Ensure(format, Console.Error);
        foreach (BenchCase @case in Cases(parsed))
            Console.Out.WriteLine(LlamaCppRun.Measure(Peer(parsed), file, format, @case, parsed.GetValue(threads), parsed.GetRequiredValue(flash)).ToJson());
    }
}));

Option<string> model = new("--model") { Description = "A GGUF file or a Hugging Face folder.", HelpName = "PATH", Required = true };
Command ours = new("ours", "One run of our engine for one format and case: a line of JSON.") { model, formats, cases, threads };
ours.SetAction(parsed => Guard(() =>
{
    BenchCase @case = Cases(parsed).First();
    Console.Out.WriteLine(OurRun.MeasureAsync(parsed.GetRequiredValue(model), Formats(parsed).First().Name, @case, parsed.GetValue(threads)).GetAwaiter().GetResult().ToJson());
}));

Command bandwidth = new("bandwidth", "How fast this machine reads memory, GB/s.") { threads };
bandwidth.SetAction(parsed => Guard(() => Console.Out.WriteLine($"{BandwidthProbe.Measure(parsed.GetValue(threads)) * 1e-9:F2}")));

Option<int> rounds = new("--rounds") { Description = "Of both sides, for each format and case.", HelpName = "COUNT", DefaultValueFactory = _ => 3 };
Option<string?> runs = new("--runs") { Description = "Append each run to this file as a line of JSON, and take what is in it into the table.", HelpName = "FILE" };
Option<string?> snapshot = new("--snapshot") { Description = "Also write the table to this file.", HelpName = "FILE" };
Option<string> flashChoice = new("--fa") { Description = "llama.cpp's flash attention: on, off, or auto to try both and keep the faster.", HelpName = "on|off|auto", DefaultValueFactory = _ => "auto" };
Option<string> instructionSet = new("--instruction-set") { Description = "Of our side: one of " + string.Join(", ", OurInstructionSet.All.Select(s => s.Name)) + ". Name a llama.cpp built for the same.", HelpName = "NAME", DefaultValueFactory = _ => OurInstructionSet.Native.Name };
Command compare = new("compare", "Both sides in turn, then the table of ratios.") { formats, cases, threads, instructionSet, rounds, flashChoice, runs, snapshot, folder, shape, llamaCpp };
compare.SetAction(parsed => Guard(() =>
{
    string file = RunsPath(parsed);
    OurInstructionSet set = OurInstructionSet.Find(parsed.GetRequiredValue(instructionSet));
    Comparison comparison = new(Peer(parsed), Files(parsed), LlamaShape.Find(parsed.GetRequiredValue(shape)), set, parsed.GetValue(threads), parsed.GetValue(rounds),
        parsed.GetRequiredValue(flashChoice), run => RunFile.Append(file, run), Console.Error);
    foreach (WeightFormat format in Formats(parsed))
    {
        foreach (BenchCase @case in Cases(parsed)) comparison.Run(format, @case);
    }

    Report(parsed, file);
}));

Option<string> stored = new("--formats") { Description = "Weight formats, separated by commas.", HelpName = "NAMES", DefaultValueFactory = _ => "q8_0,q4_0,f16" };
Option<string> weights = new("--weights") { Description = "What float weights become, as the server's option.", HelpName = "NAME", DefaultValueFactory = _ => "as-stored" };
Option<int> loads = new("--rounds") { Description = "Of each format.", HelpName = "COUNT", DefaultValueFactory = _ => 6 };
Option<string?> weightsCache = new("--weights-cache") { Description = "As the server's option: all but the first load map repacked weights from there.", HelpName = "FOLDER" };
Command load = new("load", "How long our loads take, and how much memory.") { stored, weights, weightsCache, threads, loads, snapshot, folder, shape, llamaCpp };
load.SetAction(parsed => Guard(() => Snapshot.Write(parsed.GetValue(snapshot), null,
    LoadRun.Rounds(FilesOf(parsed, stored), parsed.GetValue(loads), parsed.GetValue(threads), parsed.GetRequiredValue(weights), parsed.GetValue(weightsCache), Console.Error))));

Command loadOnce = new(LoadRun.Once, "One load: a line of JSON.") { model, weights, weightsCache, threads };
loadOnce.SetAction(parsed => Guard(() =>
    Console.Out.WriteLine(JsonSerializer.Serialize(LoadRun.MeasureAsync(parsed.GetRequiredValue(model), parsed.GetValue(threads), parsed.GetRequiredValue(weights), parsed.GetValue(weightsCache)).GetAwaiter().GetResult()))));

Command warmth = new("warmth", "Whether the first steps behind a load are as fast as later ones.") { stored, threads, loads, snapshot, folder, shape, llamaCpp };
warmth.SetAction(parsed => Guard(() => Snapshot.Write(parsed.GetValue(snapshot), null, WarmthRun.Rounds(FilesOf(parsed, stored), parsed.GetValue(loads), parsed.GetValue(threads), Console.Error))));

Command warmthOnce = new(WarmthRun.Once, "One such run: a line of JSON.") { model, threads };
warmthOnce.SetAction(parsed => Guard(() =>
    Console.Out.WriteLine(JsonSerializer.Serialize(WarmthRun.MeasureAsync(parsed.GetRequiredValue(model), parsed.GetValue(threads)).GetAwaiter().GetResult()))));

Option<string> served = new("--formats") { Description = "Weight formats, separated by commas.", HelpName = "NAMES", DefaultValueFactory = _ => "q4_k_m" };
Option<int> requests = new("--requests") { Description = "Of a run.", HelpName = "COUNT", DefaultValueFactory = _ => 32 };
Option<string> server = new("--server") { Description = "More options of our server, separated by spaces.", HelpName = "OPTIONS", DefaultValueFactory = _ => "" };
Command http = new("http", "Our server and llama-server in turn under the load generator.") { served, threads, rounds, requests, flash, server, runs, snapshot, folder, shape, llamaCpp };
http.SetAction(parsed => Guard(() =>
{
    string file = RunsPath(parsed);
    HttpComparison comparison = new(parsed.GetValue(requests), run => RunFile.Append(file, run), Console.Error);
    foreach (WeightFormat format in FormatsOf(parsed, served))
    {
        string path = Files(parsed).Ensure(format, Console.Error);
        ServerPlan theirServer = ServerPlan.Theirs(Peer(parsed), path, parsed.GetValue(threads), HttpComparison.Callers, HttpComparison.Context, parsed.GetRequiredValue(flash));
        comparison.Run(format, OurServer(parsed, path), theirServer, parsed.GetValue(rounds));
    }

    Report(parsed, file);
}));

Command interference = new("interference", "Streams of our server with and without a long prompt beside them.") { served, threads, rounds, server, runs, snapshot, folder, shape, llamaCpp };
interference.SetAction(parsed => Guard(() =>
{
    string file = RunsPath(parsed);
    foreach (WeightFormat format in FormatsOf(parsed, served))
    {
        string path = Files(parsed).Ensure(format, Console.Error);
        for (int round = 0; round < parsed.GetValue(rounds); round++)
        {
            (BenchRun alone, BenchRun beside) = new Interference(Console.Error).RunAsync(format.Name, OurServer(parsed, path)).GetAwaiter().GetResult();
            RunFile.Append(file, alone);
            RunFile.Append(file, beside);
        }
    }

    Report(parsed, file);
}));

Command report = new("report", "The table of the runs that a file holds.") { runs, snapshot, llamaCpp };
report.SetAction(parsed => Guard(() => Report(parsed, parsed.GetValue(runs) ?? throw new BenchException("Say which file: --runs FILE."))));

RootCommand root = new("Our CPU engine beside llama.cpp on the same GGUF file. bench/llama-cpp/run.sh calls this.") { makeModel, theirs, ours, bandwidth, compare, http, interference, report, load, loadOnce, warmth, warmthOnce };
return root.Parse(args).Invoke();

static IEnumerable<WeightFormat> FormatsOf(ParseResult parsed, Option<string> option) => parsed.GetRequiredValue(option).Split(',').Select(WeightFormat.Find).ToList();

IEnumerable<WeightFormat> Formats(ParseResult parsed) => FormatsOf(parsed, formats);

IEnumerable<BenchCase> Cases(ParseResult parsed) => parsed.GetRequiredValue(cases).Split(',').Select(BenchCase.Find).ToList();

IReadOnlyList<(WeightFormat Format, string Path)> FilesOf(ParseResult parsed, Option<string> option) =>
    [.. FormatsOf(parsed, option).Select(format => (format, Files(parsed).Ensure(format, Console.Error)))];

ModelFiles Files(ParseResult parsed) => new(parsed.GetRequiredValue(folder), LlamaShape.Find(parsed.GetRequiredValue(shape)), parsed.GetValue(llamaCpp) is null ? null : Peer(parsed));

LlamaCppFolder Peer(ParseResult parsed) => new(parsed.GetValue(llamaCpp) ?? throw new BenchException("Say where llama.cpp's programs are: --llama-cpp FOLDER."));

ServerPlan OurServer(ParseResult parsed, string path) =>
    ServerPlan.Ours(path, parsed.GetValue(threads), parsed.GetRequiredValue(server).Split(' ', StringSplitOptions.RemoveEmptyEntries));

string RunsPath(ParseResult parsed) => parsed.GetValue(runs) ?? Path.Combine(Directory.CreateTempSubdirectory("cpu-bench-").FullName, "runs.jsonl");

void Report(ParseResult parsed, string file) => Snapshot.Write(parsed.GetValue(snapshot), parsed.GetValue(llamaCpp) is null ? null : Peer(parsed).Version(), new RunTable(RunFile.Read(file)).Write());

static int Guard(Action action)
{
    try
    {
        action();
        return 0;
    }
    catch (BenchException e)
    {
        Console.Error.WriteLine("error: " + e.Message);
        return 2;
    }
}
