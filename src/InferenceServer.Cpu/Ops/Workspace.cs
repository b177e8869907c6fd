using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Ops;

/// <summary>Each thread's scratch memory. Grows at load and in the first step that needs more, never after.</summary>
internal sealed unsafe class Workspace(int threads) : IDisposable
{
    private readonly NativeBuffer?[] _buffers = new NativeBuffer?[threads];
    private long _floats;

    public float* this[int worker] => _buffers[worker]!.Floats;

    /// <summary>Called between jobs only.</summary>
    public void Reserve(long floats)
    {
        if (floats <= _floats) return;
        for (int i = 0; i < _buffers.Length; i++)
        {
            _buffers[i]?.Dispose();
            _buffers[i] = null;
            _buffers[i] = new NativeBuffer(floats * sizeof(float), "a thread's scratch memory");
        }

        _floats = floats;
    }

    public void Dispose()
    {
        foreach (NativeBuffer? buffer in _buffers) buffer?.Dispose();
    }
}
