namespace InferenceServer.CpuBench.Runs;

/// <summary>Runs as lines of JSON: a comparison may be made in several goes, each adding its lines.</summary>
internal static class RunFile
{
    public static void Append(string path, BenchRun run) => File.AppendAllText(path, run.ToJson() + "\n");

    /// <exception cref="BenchException">There is no such file, or a line of it is no run.</exception>
    public static List<BenchRun> Read(string path) => File.Exists(path)
        ? [.. File.ReadLines(path).Where(l => l.Length > 0).Select(BenchRun.Parse)]
        : throw new BenchException($"'{path}' does not exist; 'compare --runs {path}' writes it.");
}
