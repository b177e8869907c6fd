namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Sixteen floats in the registers of one instruction set. Kernels are written once over it and specialised by the JIT, because
/// type arguments are structs. To add an instruction set: one struct here, one row in <see cref="KernelTable"/>.
/// </summary>
internal unsafe interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    static abstract TSelf Zero { get; }

    /// <summary>One register holds all sixteen, and there are 32 of them: kernels keep more sums in flight.</summary>
    static abstract bool IsWide { get; }

    static abstract TSelf Load(float* source);

    static abstract void Store(TSelf lanes, float* destination);

    /// <summary>weights * input + sum, fused wherever the machine can.</summary>
    static abstract TSelf MultiplyAdd(TSelf weights, float input, TSelf sum);

    /// <summary>Sixteen words of two bf16 each: their low halves, then their high halves.</summary>
    static abstract void LoadBf16Pair(byte* source, out TSelf even, out TSelf odd);

    /// <summary>Sixteen words of two f16 each, widened exactly (subnormals, infinities and NaN too).</summary>
    static abstract void LoadF16Pair(byte* source, out TSelf even, out TSelf odd);

    /// <summary>Sixteen signed bytes as floats.</summary>
    static abstract TSelf LoadSigned(sbyte* source);

    /// <summary>Sixteen f16, widened exactly.</summary>
    static abstract TSelf LoadHalves(ushort* source);

    static abstract TSelf LoadBytes(byte* source);

    static abstract TSelf Multiply(TSelf left, TSelf right);

    static abstract TSelf Multiply(TSelf left, float right);

    /// <summary>left * right + sum, fused wherever the machine can.</summary>
    static abstract TSelf MultiplyAdd(TSelf left, TSelf right, TSelf sum);
}
