using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Handles;

namespace InferenceServer.Cuda;

/// <summary>Loading: everything is sent on a stream of its own and is known to have arrived when the first step begins.</summary>
public sealed partial class CudaBackend
{
    private int _vocabulary;

    /// <exception cref="CudaMemoryException">The weights do not fit.</exception>
    public Matrix LoadMatrix(MatrixUse use, params IReadOnlyList<HostTensor> stacked)
    {
        EnterLoad();
        if (stacked.Count == 0) throw new ArgumentException("A matrix needs at least one tensor.", nameof(stacked));
        HostTensor first = stacked[0];
        long rows = 0;
        foreach (HostTensor tensor in stacked)
        {
            if (tensor.Type.IsQuantized())
                throw new NotSupportedException($"{tensor.Name} is quantized ({tensor.Type}); GPUs compute with F32, F16 and BF16 weights.");
            if (tensor.Columns != first.Columns)
                throw new ArgumentException(
                    $"Tensors stacked into one matrix must agree in columns: {first.Name} has {first.Columns}, {tensor.Name} {tensor.Columns}.", nameof(stacked));
            rows = checked(rows + tensor.Rows);
        }

        if (rows is 0 or > int.MaxValue || first.Columns == 0)
            throw new ArgumentException($"{first.Name} and what is stacked on it have {rows} rows of {first.Columns} columns; a matrix holds 1 to {int.MaxValue} rows.", nameof(stacked));
        CudaMatrix matrix = new((int)rows, first.Columns, _weights.Allocate(CudaMatrix.Bytes(rows, first.Columns), $"the weights (at {first.Name})"));
        ulong address = matrix.Address;
        foreach (HostTensor tensor in stacked)
        {
            _upload.Matrix(tensor, address);
            address += (ulong)CudaMatrix.Bytes(tensor.Rows, tensor.Columns);
        }

        return matrix;
    }

    public WeightVector LoadVector(params IReadOnlyList<HostTensor> concatenated)
    {
        EnterLoad();
        int length = 0;
        foreach (HostTensor tensor in concatenated) length = checked(length + (int)(tensor.Rows * tensor.Columns));
        if (length == 0) throw new ArgumentException("A vector needs at least one number.", nameof(concatenated));
        CudaVector vector = new(length, _weights.Allocate((long)length * sizeof(float), $"the weights (at {concatenated[0].Name})"));
        ulong address = vector.Address;
        foreach (HostTensor tensor in concatenated)
        {
            _upload.Vector(tensor, address);
            address += (ulong)(tensor.Rows * tensor.Columns * sizeof(float));
        }

        return vector;
    }

    public RopeTable LoadRope(ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, int positions, int rotaryDim)
    {
        EnterLoad();
        long expected = (long)positions * (rotaryDim / 2);
        if (positions < 1 || rotaryDim < 2 || rotaryDim % 2 != 0 || cosines.Length != expected || sines.Length != expected)
            throw new ArgumentException(
                $"A rotary table of {positions} positions x {rotaryDim} / 2 needs {expected} cosines and sines; given are {cosines.Length} and {sines.Length}.");
        CudaRopeTable table = new(positions, rotaryDim, _weights.Allocate(expected * sizeof(float), "the rotary table"), _weights.Allocate(expected * sizeof(float), "the rotary table"));
        _upload.Floats(cosines, table.Cosines);
        _upload.Floats(sines, table.Sines);
        return table;
    }

    /// <remarks>Zero at first: padding rows flow through kernels before anything was written there.</remarks>
    public Activation AllocateActivation(int maxRows, int columns, ActivationUse use = ActivationUse.Hidden)
    {
        EnterLoad();
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        long bytes = CudaActivation.Bytes(maxRows, columns, use);
        CudaActivation activation = new(maxRows, columns, use, _workspace.Allocate(bytes, $"activations of {maxRows} x {columns}"));
        _stream.Fill(activation.Address, 0, bytes);
        if (use == ActivationUse.Logits) _vocabulary = Math.Max(_vocabulary, columns);
        return activation;
    }

    /// <remarks>Zero at first: attention multiplies what lies behind a sequence's end by a weight of 0, and 0 times a NaN is one.</remarks>
    /// <exception cref="ArgumentException">The kernels cannot address this shape.</exception>
    /// <exception cref="CudaMemoryException">It does not fit.</exception>
    public KvCache AllocateKvCache(KvCacheShape shape)
    {
        EnterLoad();
        ArgumentNullException.ThrowIfNull(shape);
        CudaKvCache.Check(shape);
        long bytes = CudaKvCache.Bytes(shape);
        CudaKvCache cache = new(shape, _kv.Allocate(bytes, $"the KV pool of {shape.BlockCount} blocks"));
        _stream.Fill(cache.Address, 0, bytes);
        return cache;
    }

    private void EnterLoad()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _context.MakeCurrent();
    }
}
