using System.CommandLine;
using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.GpuBench;
using InferenceServer.GpuBench.Checks;
using InferenceServer.GpuBench.Model;
using InferenceServer.GpuBench.Probes;
using InferenceServer.GpuBench.Reports;
using InferenceServer.GpuBench.Shapes;

Option<string?> json = new("--json") { Description = "Append the figures to this file as JSON lines.", HelpName = "FILE" };
Option<string?> cache = new("--cache") { Description = "Keep assembled kernels in this folder.", HelpName = "FOLDER" };
Option<string> shape = new("--shape") { Description = "One of " + string.Join(", ", ModelShape.All.Select(s => s.Name)) + ".", HelpName = "NAME", DefaultValueFactory = _ => ModelShape.Llama8B.Name };
Option<double> seconds = new("--seconds") { Description = "What does not fit into this time is recorded as not measured.", HelpName = "SECONDS", DefaultValueFactory = _ => 100 };
Option<int> device = new("--device") { Description = "Which GPU.", HelpName = "INDEX" };
Option<string> folder = new("--folder") { Description = "Where to read.", HelpName = "FOLDER", Required = true };
Option<string> target = new("--out") { Description = "Where to write.", HelpName = "FOLDER", Required = true };

Command ptx = new("ptx", "Writes the kernels that this program was built with: FOLDER/<arch>/<family>.ptx.") { target };
ptx.SetAction(parsed => PackedKernels.Write(parsed.GetRequiredValue(target)));

Option<string> tool = new("--tool") { Description = "ptxas or nvcc.", HelpName = "NAME", Required = true };
Command compiled = new("compiled", "Reads what compile.sh left: accepted, registers, spills, shared memory.") { json, tool, folder };
compiled.SetAction(parsed => WithLog(parsed, log => CompilerReport.Write(parsed.GetRequiredValue(tool), parsed.GetRequiredValue(folder), log)));

Command summary = new("summary", "Turns results.jsonl and steps.jsonl of a folder into summary.md and summary.json.") { folder };
summary.SetAction(parsed => Snapshot.Read(parsed.GetRequiredValue(folder)).Write(parsed.GetRequiredValue(folder)));

Command model = new("model", "A model of a shape with random weights: start, prompts, decode at every batch.") { json, cache, shape, seconds, device };
model.SetAction(parsed => WithDevice(parsed, (api, log) =>
{
    (Floor floor, bool measured) = FloorReader.Read(parsed.GetValue(json));
    log.Write("floors", ("GB/s", floor.BytesPerSecond * 1e-9), ("TFLOP/s", floor.FlopsPerSecond * 1e-12), ("from", measured ? "this run's probes" : "an H200's figures, where the probes of this run gave none"));
    ModelBench bench = new(ModelShape.Find(parsed.GetRequiredValue(shape)), ModelSizes.Full, floor, log);
    bench.Run(api, parsed.GetValue(device), new CubinCache(parsed.GetValue(cache)), ProcessStarted(), new TimeBudget(parsed.GetValue(seconds)));
    return true;
}));

Option<string> tokenizer = new("--tokenizer") { Description = "A model folder whose tokenizer is copied.", HelpName = "FOLDER", Required = true };
Command modelFolder = new("folder", "Writes a model folder of a shape with random weights, for the server.") { shape, target, tokenizer };
modelFolder.SetAction(parsed => RandomModel.Write(ModelShape.Find(parsed.GetRequiredValue(shape)), parsed.GetRequiredValue(target), parsed.GetRequiredValue(tokenizer)));

Option<string> file = new("--file") { Description = "What the load generator wrote.", HelpName = "FILE", Required = true };
Option<int> concurrency = new("--concurrency") { Description = "Requests that were in flight.", HelpName = "COUNT", Required = true };
Command load = new("load", "Takes the load generator's figures into the snapshot.") { json, file, shape, concurrency };
load.SetAction(parsed => WithLog(parsed, log => LoadReport.Write(parsed.GetRequiredValue(file), parsed.GetRequiredValue(shape), parsed.GetRequiredValue(concurrency), log)));

Command probe = new("probe", "Roofline probes: bandwidths, kernel boundaries, products, attention.") { json, cache, seconds, device };
probe.SetAction(parsed => WithDevice(parsed, (api, log) =>
{
    using ProbeDevice opened = new(api, parsed.GetValue(device), parsed.GetValue(cache), ProbeSizes.Full);
    ProbeRun.Run(opened, log, new TimeBudget(parsed.GetValue(seconds)));
    return true;
}));

Option<bool> tiny = new("--tiny") { Description = "Small sizes, for compute-sanitizer." };
Command kernels = new("kernels", "Every kernel against its formula on this driver; how long loading them takes.") { json, cache, device, tiny };
kernels.SetAction(parsed => WithDevice(parsed, (api, log) =>
{
    using ProbeDevice opened = new(api, parsed.GetValue(device), parsed.GetValue(cache), ProbeSizes.Full);
    bool small = parsed.GetValue(tiny);
    if (!small) log.Try("loading the kernels", () => AssemblyBench.Run(opened.Context, parsed.GetValue(cache), log));
    KernelChecks checks = new(opened, small ? CheckSizes.Tiny : CheckSizes.Full, log);
    return checks.Run(ElementType.BF16) & checks.Run(ElementType.F16);
}));

RootCommand root = new("The first minutes on a real GPU. bench/gpu/run.sh calls this.") { ptx, compiled, kernels, probe, model, modelFolder, load, summary };
return root.Parse(args).Invoke();

// Exit status 3: there is no GPU here, as the snapshot says.
int WithDevice(ParseResult parsed, Func<DriverApi, ResultLog, bool> measure)
{
    using ResultLog log = new(parsed.GetValue(json), Console.Out);
    try
    {
        return measure(DriverApi.Load(), log) ? 0 : 1;
    }
    catch (CudaUnavailableException e)
    {
        log.Missing(parsed.CommandResult.Command.Name, e.Message);
        return 3;
    }
    catch (CudaException e)
    {
        log.Missing(parsed.CommandResult.Command.Name, e.Message);
        return 1;
    }
}

// Of Stopwatch; the runtime's own start is part of what a user waits for.
static long ProcessStarted()
{
    using Process self = Process.GetCurrentProcess();
    return Stopwatch.GetTimestamp() - (long)((DateTime.Now - self.StartTime).TotalSeconds * Stopwatch.Frequency);
}

int WithLog(ParseResult parsed, Func<ResultLog, bool> measure)
{
    using ResultLog log = new(parsed.GetValue(json), Console.Out);
    return measure(log) ? 0 : 1;
}
