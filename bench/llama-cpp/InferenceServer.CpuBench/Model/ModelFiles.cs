using InferenceServer.CpuBench.Peer;

namespace InferenceServer.CpuBench.Model;

/// <summary>The folder of made models: a file that is there is taken, one that is not is made.</summary>
internal sealed class ModelFiles(string folder, LlamaShape shape, LlamaCppFolder? peer)
{
    public static string DefaultFolder { get; } = Path.Combine(Path.GetTempPath(), "inference-server-bench");

    /// <summary>The file's path.</summary>
    public string Ensure(WeightFormat format, TextWriter progress)
    {
        string path = PathOf(format);
        if (File.Exists(path)) return path;
        Directory.CreateDirectory(folder);
        progress.WriteLine($"making {path}");
        if (format.Encode is not null)
        {
            RandomModelFile.Write(path, shape, format);
            return path;
        }

        if (peer is null) throw new BenchException($"{format} files are made by llama-quantize; say where it is: --llama-cpp FOLDER.");
        string source = Ensure(WeightFormat.F16, progress), partial = path + ".partial";
        peer.Run("llama-quantize", TimeSpan.FromMinutes(10), source, partial, format.PeerName, Environment.ProcessorCount.ToString());
        File.Move(partial, path, overwrite: true);
        return path;
    }

    private string PathOf(WeightFormat format) => Path.Combine(folder, $"{shape.Name}-{format.Name}.gguf");
}
