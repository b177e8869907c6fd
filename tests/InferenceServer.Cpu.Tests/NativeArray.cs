using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Tests;

/// <summary>Aligned floats for calling kernels directly.</summary>
internal sealed unsafe class NativeArray : IDisposable
{
    private readonly NativeBuffer _buffer;

    public NativeArray(ReadOnlySpan<float> values)
        : this(values.Length) => values.CopyTo(Span);

    public NativeArray(int length)
    {
        _buffer = new NativeBuffer((long)length * sizeof(float), "a test array");
        _buffer.Clear();
        Length = length;
    }

    public int Length { get; }

    public float* Pointer => _buffer.Floats;

    public Span<float> Span => new(Pointer, Length);

    public void Dispose() => _buffer.Dispose();
}
