namespace InferenceServer.Cpu.Emitting;

/// <summary>The 256-bit instructions: AVX2, FMA and F16C. A register is its number, 0 to 15.</summary>
internal sealed partial class Assembler
{
    public void Load256(int target, Address source) => Vex(Map.Plain, Prefix.None, 0x10, target, 0, source);

    public void Store256(Address target, int source) => Vex(Map.Plain, Prefix.None, 0x11, source, 0, target);

    public void Zero256(int target) => Vex(Map.Plain, Prefix.X66, 0xEF, target, target, target);

    public void And256(int target, int left, int right) => Vex(Map.Plain, Prefix.X66, 0xDB, target, left, right);

    public void And256(int target, int left, Address right) => Vex(Map.Plain, Prefix.X66, 0xDB, target, left, right);

    public void Or256(int target, int left, int right) => Vex(Map.Plain, Prefix.X66, 0xEB, target, left, right);

    public void Xor256(int target, int left, Address right) => Vex(Map.Plain, Prefix.X66, 0xEF, target, left, right);

    public void ShiftRight16By256(int target, int source, int bits) => Shift256(0x71, 2, target, source, bits);

    public void ShiftLeft16By256(int target, int source, int bits) => Shift256(0x71, 6, target, source, bits);

    public void ShiftLeft32By256(int target, int source, int bits) => Shift256(0x72, 6, target, source, bits);

    /// <summary>Eight times the 32 bits at source.</summary>
    public void Broadcast256(int target, Address source) => Vex(Map.X38, Prefix.X66, 0x58, target, 0, source);

    /// <summary>Eight times the low 32 bits of a general register.</summary>
    public void Broadcast256(int target, Gp source)
    {
        VexPrefix(Map.Plain, Prefix.X66, target, 0, 0, (int)source >> 3, wide: false);
        _code.Add(0x6E);
        _code.Add((byte)(0xC0 | (target & 7) << 3 | ((int)source & 7)));
        Vex(Map.X38, Prefix.X66, 0x58, target, 0, target);
    }

    /// <summary>Sixteen sums of two products, unsigned bytes of left by signed ones of right, kept to 16 bits.</summary>
    public void MultiplyBytes256(int target, int left, int right) => Vex(Map.X38, Prefix.X66, 0x04, target, left, right);

    /// <summary>Eight sums of two products of 16 bits.</summary>
    public void MultiplyPairs256(int target, int left, Address right) => Vex(Map.Plain, Prefix.X66, 0xF5, target, left, right);

    public void MultiplyPairs256(int target, int left, int right) => Vex(Map.Plain, Prefix.X66, 0xF5, target, left, right);

    /// <summary>sum += four products of an unsigned byte of weights and a signed one of inputs, in each 32-bit lane (AVX-VNNI; AVX-512 encodes it otherwise).</summary>
    public void DotBytes256(int sum, int weights, int inputs, bool avx512)
    {
        if (!avx512)
        {
            Vex(Map.X38, Prefix.X66, 0x50, sum, weights, inputs);
            return;
        }

        EvexPrefix(Map.X38, Prefix.X66, sum, weights, inputs >> 4 & 1, inputs >> 3 & 1, false, length: 1);
        _code.Add(0x50);
        _code.Add((byte)(0xC0 | (sum & 7) << 3 | (inputs & 7)));
    }

    /// <summary>Bytes of left, negated where those of right are negative and 0 where they are.</summary>
    public void Sign256(int target, int left, int right) => Vex(Map.X38, Prefix.X66, 0x08, target, left, right);

    /// <summary>Of bytes.</summary>
    public void Absolute256(int target, int source) => Vex(Map.X38, Prefix.X66, 0x1C, target, 0, source);

    public void AddInt16By256(int target, int left, int right) => Vex(Map.Plain, Prefix.X66, 0xFD, target, left, right);

    public void AddInt32By256(int target, int left, int right) => Vex(Map.Plain, Prefix.X66, 0xFE, target, left, right);

    public void Int32ToFloat256(int target, int source) => Vex(Map.Plain, Prefix.None, 0x5B, target, 0, source);

    /// <summary>Eight f16 in 16 bytes (F16C).</summary>
    public void HalfToFloat256(int target, Address source) => Vex(Map.X38, Prefix.X66, 0x13, target, 0, source);

    /// <summary>Eight unsigned bytes to 32-bit lanes.</summary>
    public void WidenUnsignedBytes256(int target, Address source) => Vex(Map.X38, Prefix.X66, 0x31, target, 0, source);

    public void WidenSignedBytes256(int target, Address source) => Vex(Map.X38, Prefix.X66, 0x21, target, 0, source);

    public void Multiply256(int target, int left, int right) => Vex(Map.Plain, Prefix.None, 0x59, target, left, right);

    /// <summary>sum += left * right, fused.</summary>
    public void MultiplyAdd256(int sum, int left, int right) => Vex(Map.X38, Prefix.X66, 0xB8, sum, left, right);

    /// <summary>factor = factor * other + addend, fused.</summary>
    public void MultiplyAndAdd256(int factor, int other, Address addend) => Vex(Map.X38, Prefix.X66, 0xA8, factor, other, addend);

    /// <summary>sum -= left * right, fused.</summary>
    public void MultiplySubtract256(int sum, int left, int right) => Vex(Map.X38, Prefix.X66, 0xBC, sum, left, right);

    private void Shift256(byte opcode, int extension, int target, int source, int bits)
    {
        Vex(Map.Plain, Prefix.X66, opcode, extension, target, source);
        _code.Add((byte)bits);
    }

    private void Vex(Map map, Prefix prefix, byte opcode, int register, int second, int rm)
    {
        VexPrefix(map, prefix, register, second, 0, rm >> 3, wide: true);
        _code.Add(opcode);
        _code.Add((byte)(0xC0 | (register & 7) << 3 | (rm & 7)));
    }

    private void Vex(Map map, Prefix prefix, byte opcode, int register, int second, Address address)
    {
        VexPrefix(map, prefix, register, second, address.Scale == 0 ? 0 : (int)address.Index >> 3, (int)address.Base >> 3, wide: true);
        _code.Add(opcode);
        Memory(register, address, 1);
    }

    /// <summary>Of two bytes where they say it all, else of three. Register bits are stored inverted; W is 0.</summary>
    private void VexPrefix(Map map, Prefix prefix, int register, int second, int x, int b, bool wide)
    {
        int last = (~second & 15) << 3 | (wide ? 4 : 0) | (int)prefix;
        if (map == Map.Plain && x == 0 && b == 0)
        {
            _code.Add(0xC5);
            _code.Add((byte)((~register >> 3 & 1) << 7 | last));
            return;
        }

        _code.Add(0xC4);
        _code.Add((byte)((~register >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | (int)map));
        _code.Add((byte)last);
    }
}
