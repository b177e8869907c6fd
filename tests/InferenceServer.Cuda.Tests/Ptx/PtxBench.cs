using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.Tests.Ptx;

/// <summary>Runs short PTX texts: one kernel "k" whose body a test gives, one pointer parameter "out" in %out.</summary>
internal sealed class PtxBench : IDisposable
{
    private const string Registers = ".reg .pred %p<8>; .reg .b16 %h<16>; .reg .b32 %r<32>; .reg .f32 %f<32>; .reg .b64 %q<16>; .reg .f64 %d<8>;";

    public TestMemory Memory { get; } = new();
    public InterpreterOptions Options { get; init; } = new() { Threads = 2 };

    /// <summary>A kernel that knows its lane in %r31 and the address of its word of the output in %q15.</summary>
    public static string Kernel(string body, string declarations = "") => $$"""
        .version 7.8
        .target sm_90a
        .address_size 64
        {{declarations}}
        .visible .entry k(.param .u64 out, .param .u64 in)
        {
        {{Registers}}
        mov.u32 %r31, %tid.x;
        ld.param.u64 %q14, [out];
        mul.wide.u32 %q15, %r31, 8;
        add.s64 %q15, %q14, %q15;
        {{body}}
        ret;
        }
        """;

    /// <summary>Runs a body with one block; each thread owns eight bytes of the result.</summary>
    public ulong[] Run(string body, uint threads = 32, ReadOnlySpan<uint> input = default, int shared = 0, int seed = 1, string declarations = "")
    {
        ulong output = Memory.Upload(new ulong[threads]);
        Launch(Kernel(body, declarations), threads, 1, shared, seed, output, input.IsEmpty ? 0 : Memory.Upload(input));
        return TestMemory.At<ulong>(output, (int)threads).ToArray();
    }

    public uint[] RunU32(string body, uint threads = 32, ReadOnlySpan<uint> input = default, int shared = 0, string declarations = "") =>
        [.. Run(body, threads, input, shared, declarations: declarations).Select(v => (uint)v)];

    public LaunchCounters Launch(string text, uint threads, uint blocks, int shared, int seed, params ulong[] parameters)
    {
        PtxModule module = PtxModule.Parse(text, "test");
        using PtxInterpreter interpreter = new(Memory, Options);
        interpreter.Run(new()
        {
            Kernel = module.Kernels["k"],
            GridX = blocks,
            BlockX = threads,
            DynamicSharedBytes = shared,
            Parameters = MemoryMarshal.AsBytes(parameters.AsSpan()).ToArray(),
            Seed = seed,
        });
        return interpreter.Counters("k");
    }

    public string Fault(string body, uint threads = 32, ReadOnlySpan<uint> input = default, int shared = 0, int seed = 1, string declarations = "")
    {
        try
        {
            Run(body, threads, input, shared, seed, declarations);
        }
        catch (PtxFault fault)
        {
            return fault.Message;
        }
        return "no fault";
    }

    public void Dispose() => Memory.Dispose();
}
