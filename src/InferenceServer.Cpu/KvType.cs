namespace InferenceServer.Cpu;

/// <summary>How the CPU backend stores keys and values. To add one: a format beside Kernels/Attention.Formats.cs, a case in KvStore, one in CpuKvCache's sizes.</summary>
public enum KvType
{
    /// <summary>As computed: 4 bytes a number.</summary>
    F32,

    /// <summary>Rounded to the nearest bf16: 2 bytes a number.</summary>
    BF16,

    /// <summary>Signed bytes and one f32 scale for each head's key, one for its value, of each position: 1 byte a number and 8 a pair.</summary>
    Q8,
}
