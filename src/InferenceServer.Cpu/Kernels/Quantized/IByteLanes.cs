namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>
/// Sixteen 32-bit lanes in the registers of one instruction set, as managed code has them: each lane holds four bytes of one weight row, or their sum
/// of products. Every operation is exact, so instruction sets agree bit for bit.
/// </summary>
internal unsafe interface IByteLanes<TSelf, TLanes>
    where TSelf : struct, IByteLanes<TSelf, TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    static abstract TSelf Fill(int value);

    static abstract TSelf Load(byte* source);

    static abstract TSelf And(TSelf left, TSelf right);

    static abstract TSelf Or(TSelf left, TSelf right);

    static abstract TSelf ShiftRight(TSelf value, int bits);

    static abstract TSelf ShiftLeft(TSelf value, int bits);

    /// <summary>sum + four products of unsigned weights below 128 and the signed bytes of <paramref name="input"/>.</summary>
    static abstract TSelf DotSmall(TSelf sum, TSelf weights, int input);

    /// <summary>sum + four products of weights stored as bytes + 128 and the signed bytes of <paramref name="input"/>.</summary>
    static abstract TSelf DotBiased(TSelf sum, TSelf weights, int input);

    /// <summary>result + sum * scale, fused.</summary>
    static abstract TLanes AddScaled(TSelf sum, TLanes scale, TLanes result);
}
