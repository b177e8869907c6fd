using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Handles;

namespace InferenceServer.Cuda.Memory;

/// <summary>
/// Weights from the memory map to the device: while one page-locked buffer is on its way, the next is filled from the file, by several threads
/// for page faults and conversions take longer than the bus. Nothing is known to have arrived before <see cref="Finish"/>.
/// </summary>
internal sealed unsafe class WeightUpload(CudaContext context, ElementType precision, long stagingBytes) : IDisposable
{
    /// <summary>Readers of one tensor: page-cache reads stop scaling about here.</summary>
    private const int MaxReaders = 8;

    private readonly ParallelOptions _readers = new() { MaxDegreeOfParallelism = Math.Min(MaxReaders, Environment.ProcessorCount) };
    private readonly Staging?[] _staging = new Staging?[2];
    private CudaStream? _stream;
    private int _next;

    /// <summary>A tensor's rows in the device's precision, padded with zeros to the stride.</summary>
    /// <param name="address">Of its first row.</param>
    public void Matrix(HostTensor tensor, ulong address)
    {
        int columns = tensor.Columns, stride = CudaActivation.PaddedColumns(columns);
        long rowBytes = (long)stride * sizeof(ushort), rowsPerCopy = Math.Max(1, stagingBytes / rowBytes);
        for (long first = 0; first < tensor.Rows; first += rowsPerCopy)
        {
            long start = first;
            int rows = (int)Math.Min(rowsPerCopy, tensor.Rows - first);
            Staging staging = Take(rows * rowBytes);
            byte* target = staging.Buffer.Pointer;
            void Fill(int row)
            {
                Span<ushort> values = new(target + row * rowBytes, stride);
                StoredNumbers.Narrow(tensor.Row(start + row), tensor.Type, values[..columns], precision);
                values[columns..].Clear();
            }

            if (rows * rowBytes < 1 << 20) // smaller than what starting the readers costs
                for (int row = 0; row < rows; row++) Fill(row);
            else Parallel.For(0, rows, _readers, Fill);
            Send(staging, address + (ulong)(first * rowBytes), rows * rowBytes);
        }
    }

    /// <summary>A tensor's numbers as f32, one after another.</summary>
    public void Vector(HostTensor tensor, ulong address)
    {
        Staging staging = Take(tensor.Rows * tensor.Columns * sizeof(float));
        for (long row = 0; row < tensor.Rows; row++)
            StoredNumbers.Widen(tensor.Row(row), tensor.Type, staging.Buffer.Span<float>(row * tensor.Columns * sizeof(float), tensor.Columns));
        Send(staging, address, tensor.Rows * tensor.Columns * sizeof(float));
    }

    public void Floats(ReadOnlySpan<float> values, ulong address)
    {
        int perCopy = (int)Math.Min(values.Length, stagingBytes / sizeof(float));
        for (int first = 0; first < values.Length; first += perCopy)
        {
            int count = Math.Min(perCopy, values.Length - first);
            Staging staging = Take((long)count * sizeof(float));
            values.Slice(first, count).CopyTo(staging.Buffer.Span<float>(0, count));
            Send(staging, address + (ulong)first * sizeof(float), (long)count * sizeof(float));
        }
    }

    /// <summary>Waits until all has arrived and gives the staging memory back. More may be loaded afterwards.</summary>
    public void Finish()
    {
        _stream?.Synchronize();
        Dispose();
    }

    public void Dispose()
    {
        foreach (Staging? staging in _staging) staging?.Dispose();
        Array.Clear(_staging);
        _stream?.Dispose();
        _stream = null;
    }

    /// <summary>The buffer that was sent longest ago, once it has arrived.</summary>
    private Staging Take(long bytes)
    {
        _next ^= 1;
        Staging? staging = _staging[_next];
        staging?.Sent.Synchronize();
        if (staging is not null && staging.Buffer.Bytes >= bytes) return staging;
        staging?.Dispose();
        _staging[_next] = null;
        return _staging[_next] = new Staging(context, Math.Max(bytes, stagingBytes));
    }

    private void Send(Staging staging, ulong address, long bytes)
    {
        _stream ??= new CudaStream(context);
        _stream.CopyToDevice(address, staging.Buffer, 0, bytes);
        staging.Sent.Record(_stream);
    }

    private sealed class Staging(CudaContext context, long bytes) : IDisposable
    {
        public PinnedBuffer Buffer { get; } = new(context, bytes, "The staging memory for weights");

        public CudaEvent Sent { get; } = new(context, blocking: true);

        public void Dispose()
        {
            Buffer.Dispose();
            Sent.Dispose();
        }
    }
}
