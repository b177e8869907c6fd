using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Emitting;

/// <summary>Kernels on their way to executable memory, each at a cache line. Not thread-safe.</summary>
internal sealed unsafe class EmittedCode
{
    private readonly List<byte> _code = [];

    /// <summary>Where it will lie behind the first.</summary>
    public int Add(byte[] kernel)
    {
        while (_code.Count % 64 != 0) _code.Add(0xCC);
        int start = _code.Count;
        _code.AddRange(kernel);
        return start;
    }

    /// <summary>Null where the system lets no program make code.</summary>
    public byte* TryPlace() => ExecutableMemory.TryPlace(_code.ToArray());
}
