namespace InferenceServer.Cpu.Kernels;

/// <summary>What a weight format's kernels want of the activations, made once an op.</summary>
internal enum InputForm
{
    /// <summary>As they are.</summary>
    F32,

    /// <summary>Rounded to bf16.</summary>
    Bf16,

    /// <summary>Signed bytes in blocks of 32 with negated sums. See <see cref="Quantized.ByteInput"/>.</summary>
    BytesSum,

    /// <summary>Signed bytes in blocks of 32 with sums times scales.</summary>
    BytesScaledSum,

    /// <summary>Signed bytes in blocks of 32 with negated sums of 16.</summary>
    BytesSum16,

    /// <summary>bf16 of sixteen tokens together. See <see cref="Bf16Tiles"/>.</summary>
    Bf16Tiles,

    /// <summary>Signed bytes and scaled sums of sixteen tokens together. See <see cref="Quantized.ByteTiles"/>.</summary>
    ByteTiles,
}
