using InferenceServer.Core.Compute;
using InferenceServer.Models.Files;

namespace InferenceServer.Models.Architectures;

/// <summary>
/// Hands tensors to a backend by name, having checked their shapes, and knows at the end which ones nobody asked for:
/// a bias or norm that is in the file but not in the computation would give wrong tokens without a word.
/// </summary>
internal sealed class WeightLoader(string folder, WeightFiles files, IComputeBackend backend, IProgress<LoadProgress>? progress)
{
    private readonly HashSet<string> _used = [];
    private readonly long _bytesTotal = files.TensorBytes;
    private long _bytesLoaded;

    /// <summary>A matrix of <paramref name="columns"/> inputs whose rows are the named tensors' one after another.</summary>
    public Matrix Matrix(int columns, params ReadOnlySpan<(string Name, int Rows)> parts) => Matrix(MatrixUse.Layer, columns, parts);

    public Matrix Matrix(MatrixUse use, int columns, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        List<HostTensor> tensors = [];
        foreach ((string name, int rows) in parts) tensors.Add(Tensor(name, rows, columns));
        return Report(backend.LoadMatrix(use, tensors), tensors);
    }

    /// <summary>A vector of the named tensors one after another.</summary>
    public WeightVector Vector(params ReadOnlySpan<(string Name, int Length)> parts)
    {
        List<HostTensor> tensors = [];
        foreach ((string name, int length) in parts)
        {
            HostTensor tensor = Tensor(name, length);
            if (tensor.Type.IsQuantized()) throw new ModelLoadException($"'{folder}': tensor '{files.StoredName(name)}' is a quantized vector; expected F32, F16 or BF16.");
            tensors.Add(tensor);
        }

        return Report(backend.LoadVector(tensors), tensors);
    }

    /// <summary>Marks a tensor as known and not needed.</summary>
    public void Ignore(string name)
    {
        _used.Add(name);
        if (files.Tensors.TryGetValue(name, out HostTensor? tensor)) Report(tensor, [tensor]);
    }

    /// <exception cref="ModelLoadException">A tensor in the files was not used.</exception>
    public void RefuseUnused()
    {
        foreach (string name in files.Tensors.Keys)
        {
            // Old exports store RoPE's frequencies, which are computed here from the config.
            if (!_used.Contains(name) && !name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal))
                throw new ModelLoadException(
                    $"'{folder}' holds tensor '{files.StoredName(name)}', which the model described by {files.ConfigName} does not have; "
                    + "check the number of layers, the bias fields and that both are of one revision.");
        }
    }

    private HostTensor Tensor(string name, params ReadOnlySpan<long> shape)
    {
        if (!files.Tensors.TryGetValue(name, out HostTensor? tensor))
            throw new ModelLoadException($"'{folder}' lacks tensor '{files.StoredName(name)}'; {files.ConfigName} expects it with shape {Shown(shape)}.");
        if (!shape.SequenceEqual(tensor.Shape.ToArray()))
            throw new ModelLoadException($"'{folder}': tensor '{files.StoredName(name)}' has shape {Shown(tensor.Shape.ToArray())}; {files.ConfigName} expects {Shown(shape)}.");
        _used.Add(name);
        return tensor;
    }

    private T Report<T>(T loaded, List<HostTensor> tensors)
    {
        foreach (HostTensor tensor in tensors)
        {
            _bytesLoaded += tensor.Bytes;
            tensor.Release();
        }

        progress?.Report(new LoadProgress(tensors[^1].Name, _bytesLoaded, _bytesTotal));
        return loaded;
    }

    private static string Shown(ReadOnlySpan<long> shape) => $"({string.Join(", ", shape.ToArray())})";
}
