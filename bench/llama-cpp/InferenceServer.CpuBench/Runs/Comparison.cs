using System.Globalization;
using InferenceServer.CpuBench.Model;
using InferenceServer.CpuBench.Peer;

namespace InferenceServer.CpuBench.Runs;

/// <summary>
/// Format by format and case by case, our process and theirs in turn, so that a machine whose speed drifts is as fast for one as for the other.
/// llama.cpp's flash attention is tried both ways before, and the faster way is kept.
/// </summary>
/// <param name="instructionSet">Of our side; theirs is as it was built.</param>
/// <param name="flash">"on", "off", or "auto" for the faster.</param>
internal sealed class Comparison(
    LlamaCppFolder peer, ModelFiles files, LlamaShape shape, OurInstructionSet instructionSet, int threads, int rounds, string flash, Action<BenchRun> record, TextWriter progress)
{
    private static readonly string[] Flags = ["on", "off"];
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    public void Run(WeightFormat format, BenchCase @case)
    {
        string file = files.Ensure(format, progress), flag = flash == "auto" ? FasterFlag(file, format, @case) : flash;
        for (int round = 0; round < rounds; round++)
        {
            // Who goes first changes, for the same reason.
            if (round % 2 == 1) Record(Theirs());
            Record(Ours(file, format, @case));
            if (round % 2 == 0) Record(Theirs());
        }

        BenchRun Theirs() => LlamaCppRun.Measure(peer, file, format, @case, threads, flag);
    }

    private string FasterFlag(string file, WeightFormat format, BenchCase @case) =>
        Flags.MaxBy(flag => LlamaCppRun.Measure(peer, file, format, @case, threads, flag).TokensPerSecond)!;

    private BenchRun Ours(string file, WeightFormat format, BenchCase @case)
    {
        double? before = Bandwidth(@case);
        ProgramResult result = ChildProgram.RunSelf(
            ["ours", "--model", file, "--formats", format.Name, "--cases", @case.Name, "--threads", threads.ToString(CultureInfo.InvariantCulture)], Limit, instructionSet.Environment);
        if (result.ExitStatus != 0) throw new BenchException($"Our side of {format}, {@case} ended with {result.ExitStatus}: {result.LastErrors}");
        BenchRun run = BenchRun.Parse(result.Output.Trim()) with { WeightBytes = new FileInfo(file).Length };
        if (instructionSet != OurInstructionSet.Native) run = run with { Flags = $"{run.Flags} --instruction-set {instructionSet.Name}" };
        return before is not { } read ? run : run with
        {
            WeightBytesRead = run.WeightBytes - shape.EmbeddingBytes(format),
            ReadBytesPerSecond = (read + BandwidthProbe.Measure(threads)) / 2,
        };
    }

    /// <summary>Null where weights are not what a case waits for.</summary>
    private double? Bandwidth(BenchCase @case) => @case == BenchCase.Decode1 ? BandwidthProbe.Measure(threads) : null;

    private void Record(BenchRun run)
    {
        record(run);
        progress.WriteLine($"{run.Format,-8} {run.Case,-11} {run.Side,-6} {run.TokensPerSecond,8:F2} tokens/s  {run.Flags}");
    }
}
