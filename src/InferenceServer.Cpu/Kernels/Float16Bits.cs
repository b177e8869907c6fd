namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Widening f16 with integer operations, since .NET 10 exposes no F16C. The half stands in the upper 16 bits of a 32-bit lane. An
/// arithmetic shift by 3 puts its exponent and mantissa where a float has them; multiplying by 2^112 mends the bias (127 - 15) and, being
/// exact, turns subnormals into normals. What was infinite or NaN gets the exponent of infinity, its mantissa kept.
/// After Fabian Giesen, "half_to_float_fast4" (2012), with the sign carried by the shift.
/// </summary>
internal static class Float16Bits
{
    /// <summary>Sign, exponent and mantissa after the shift, without the two copies of the sign.</summary>
    public const int Mask = unchecked((int)0x8FFFE000);

    /// <summary>2^112.</summary>
    public const float Rebias = 5.192296858534828e+33f;

    /// <summary>The smallest magnitude that is no number, in the upper half of a lane.</summary>
    public const int Infinity = 0x7C000000;

    public const int FloatInfinity = 0x7F800000;
}
