using System.Text;
using System.Text.Json;
using InferenceServer.Core.Compute;
using InferenceServer.Models;

namespace InferenceServer.GpuBench.Shapes;

/// <summary>A model of a shape with random weights: in memory for this process, or as a folder for the server.</summary>
internal static class RandomModel
{
    /// <summary>Only config.json exists as a file, in <paramref name="folder"/>, which is made.</summary>
    public static ModelFolder Open(ModelShape shape, string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), shape.ConfigJson);
        return ModelFolder.Open(folder, RandomTensor.Of(shape));
    }

    /// <summary>A whole folder: config, weights, and another model's tokenizer, which need not know every token.</summary>
    public static void Write(ModelShape shape, string folder, string tokenizerFolder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), shape.ConfigJson);
        foreach (string name in (ReadOnlySpan<string>)["tokenizer.json", "tokenizer_config.json"])
            File.Copy(Path.Combine(tokenizerFolder, name), Path.Combine(folder, name), overwrite: true);
        WriteWeights([.. RandomTensor.Of(shape)], Path.Combine(folder, "model.safetensors"));
    }

    /// <summary>safetensors: the header's length in 8 bytes, the header as JSON, then the tensors one after another.</summary>
    private static void WriteWeights(IReadOnlyList<HostTensor> tensors, string path)
    {
        Dictionary<string, object> header = [];
        long offset = 0;
        foreach (HostTensor tensor in tensors)
        {
            long end = offset + tensor.Rows * tensor.Columns * tensor.Type.Bytes();
            header.Add(tensor.Name, new Dictionary<string, object> { ["dtype"] = "BF16", ["shape"] = tensor.Shape, ["data_offsets"] = new[] { offset, end } });
            offset = end;
        }

        byte[] text = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(header));
        using FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 4 << 20);
        file.Write(BitConverter.GetBytes((ulong)text.Length));
        file.Write(text);
        foreach (HostTensor tensor in tensors)
            for (long row = 0; row < tensor.Rows; row++) file.Write(tensor.Row(row));
    }
}
