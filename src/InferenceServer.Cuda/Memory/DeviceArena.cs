using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Memory;

/// <summary>
/// Device memory for one purpose, handed out in sequence and given back all at once. It is taken from the device in one piece of the planned
/// size at the first request; what the plan did not foresee is taken in pieces of its own. Owned by one thread at a time.
/// </summary>
internal sealed class DeviceArena(CudaContext context, string name, long plannedBytes, bool apart = false) : IDisposable
{
    /// <summary>Kernels read 16 bytes at a time, copies go best in whole sectors and lines; cuBLASLt prefers 256 (its alignment preference's default).</summary>
    public const int Alignment = 256;

    /// <summary>Smallest piece beyond the plan: a driver maps device memory in pages of 2 MiB.</summary>
    private const long GrowthBytes = 2L << 20;

    private readonly List<DeviceBuffer> _pieces = [];
    private long _used; // of the last piece
    private int _buffers;
    private long _requestedBytes;
    private long _alignedBytes;

    public static long Align(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    /// <summary>An aligned range; contents undefined.</summary>
    /// <param name="bytes">More than 0.</param>
    /// <param name="what">Names it in the error sentence.</param>
    /// <exception cref="CudaMemoryException">The device has not enough left.</exception>
    public ulong Allocate(long bytes, string what)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        long aligned = Align(bytes);
        if (apart) AddPiece(bytes, what); // tests: a range of its own, so that a step past its end is seen
        else if (_pieces.Count == 0) AddPiece(Math.Max(aligned, plannedBytes), what);
        else if (_used + aligned > _pieces[^1].Bytes) AddPiece(Math.Max(aligned, GrowthBytes), what);

        ulong address = _pieces[^1].Address + (ulong)_used;
        _used += aligned;
        _buffers++;
        _requestedBytes += bytes;
        _alignedBytes += aligned;
        return address;
    }

    public ArenaSnapshot Snapshot() => new(name, _buffers, _requestedBytes, _alignedBytes, _pieces.Sum(p => p.Bytes));

    public void Dispose()
    {
        foreach (DeviceBuffer piece in _pieces) piece.Dispose();
        _pieces.Clear();
        (_used, _buffers, _requestedBytes, _alignedBytes) = (0, 0, 0, 0);
    }

    private void AddPiece(long bytes, string what)
    {
        try
        {
            _pieces.Add(new DeviceBuffer(context, bytes, what));
            _used = 0;
        }
        catch (CudaException e) when (e.Error == CudaError.OutOfMemory)
        {
            (long free, long total) = context.MemGetInfo();
            throw new CudaMemoryException(
                $"The GPU's memory does not suffice for {what}: {CudaMemoryException.Mebibytes(bytes)} were asked for, {CudaMemoryException.Mebibytes(free)} of "
                + $"{CudaMemoryException.Mebibytes(total)} are free. {char.ToUpperInvariant(CudaMemoryException.Flags[0])}{CudaMemoryException.Flags[1..]}, or end what else uses the GPU.", e);
        }
    }
}
