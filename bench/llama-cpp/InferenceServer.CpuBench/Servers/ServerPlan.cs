using System.Globalization;
using InferenceServer.CpuBench.Peer;
using InferenceServer.CpuBench.Runs;

namespace InferenceServer.CpuBench.Servers;

/// <summary>How either side's server is started on a file.</summary>
/// <param name="Side"><see cref="BenchRun.Ours"/> or <see cref="BenchRun.Theirs"/>.</param>
/// <param name="Flags">For the table: all but the file.</param>
internal sealed record ServerPlan(string Side, string Program, string File, IReadOnlyList<string> Flags)
{
    /// <summary>As it comes, but for the doors that are not used and what the user adds.</summary>
    public static ServerPlan Ours(string file, int threads, IEnumerable<string> more)
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "InferenceServer.exe" : "InferenceServer");
        if (!System.IO.File.Exists(program)) throw new BenchException($"'{program}' does not exist; the build of this bench puts the server there.");
        return new ServerPlan(BenchRun.Ours, program, file, ["--device", "cpu", "--threads", Text(threads), "--grpc", "false", .. more]);
    }

    /// <summary>Continuous batching and prompt caching are llama-server's defaults; a slot for each caller, and context for each slot.</summary>
    /// <param name="flash">"on" or "off".</param>
    public static ServerPlan Theirs(LlamaCppFolder peer, string file, int threads, int callers, int contextOfEach, string flash) => new(BenchRun.Theirs, peer.ProgramPath("llama-server"), file,
        ["-np", Text(callers), "-c", Text(callers * contextOfEach), "-t", Text(threads), "-tb", Text(threads), "-fa", flash]);

    public ServerUnderTest Start() => ServerUnderTest.Start(Program, [Side == BenchRun.Ours ? "--model" : "-m", File, .. Flags]);

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
