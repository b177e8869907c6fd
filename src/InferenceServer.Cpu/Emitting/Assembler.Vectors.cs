namespace InferenceServer.Cpu.Emitting;

/// <summary>The 512-bit instructions. A register is its number, 0 to 31.</summary>
internal sealed partial class Assembler
{
    private const int Whole = 64; // bytes an operand in memory has, and so the unit of a short displacement
    private const int Half = 32;
    private const int Quarter = 16;
    private const int Element = 4;

    private enum Map
    {
        Plain = 1,
        X38 = 2,
        X3A = 3,
    }

    private enum Prefix
    {
        None,
        X66,
        XF3,
        XF2,
    }

    public void Load(int target, Address source) => Evex(Map.Plain, Prefix.None, 0x10, target, 0, source, Whole);

    public void Store(Address target, int source) => Evex(Map.Plain, Prefix.None, 0x11, source, 0, target, Whole);

    public void Zero(int target) => Evex(Map.Plain, Prefix.X66, 0xEF, target, target, target);

    public void And(int target, int left, int right) => Evex(Map.Plain, Prefix.X66, 0xDB, target, left, right);

    public void And(int target, int left, Address right) => Evex(Map.Plain, Prefix.X66, 0xDB, target, left, right, Whole);

    /// <summary>target |= left &amp; right.</summary>
    public void OrAnd(int target, int left, int right)
    {
        Evex(Map.X3A, Prefix.X66, 0x25, target, left, right);
        _code.Add(0xF8);
    }

    /// <summary>Each 16-bit lane by a number of bits.</summary>
    public void ShiftRight16(int target, int source, int bits) => Shift(0x71, 2, target, source, bits);

    public void ShiftRight16(int target, Address source, int bits) => Shift(0x71, 2, target, source, Whole, false, bits);

    public void ShiftLeft16(int target, int source, int bits) => Shift(0x71, 6, target, source, bits);

    public void ShiftLeft16(int target, Address source, int bits) => Shift(0x71, 6, target, source, Whole, false, bits);

    /// <summary>Sixteen times the 32-bit number at source, shifted left.</summary>
    public void BroadcastShiftLeft32(int target, Address source, int bits) => Shift(0x72, 6, target, source, Element, true, bits);

    /// <summary>Sixteen times the low 32 bits of a general register.</summary>
    public void Broadcast32(int target, Gp source) => Evex(Map.X38, Prefix.X66, 0x7C, target, 0, (int)source);

    /// <summary>sum += four products of an unsigned byte of weights and a signed one of the broadcast word, in each 32-bit lane (VNNI).</summary>
    public void DotBytes(int sum, int weights, Address broadcast) => Evex(Map.X38, Prefix.X66, 0x50, sum, weights, broadcast, Element, true);

    /// <summary>sum += two products of bf16 in each lane (AVX512_BF16).</summary>
    public void DotBf16(int sum, int weights, Address broadcast) => Evex(Map.X38, Prefix.XF3, 0x52, sum, weights, broadcast, Element, true);

    public void AddInt32(int target, int left, int right) => Evex(Map.Plain, Prefix.X66, 0xFE, target, left, right);

    public void Int32ToFloat(int target, Address source) => Evex(Map.Plain, Prefix.None, 0x5B, target, 0, source, Whole);

    public void Int32ToFloat(int target, int source) => Evex(Map.Plain, Prefix.None, 0x5B, target, 0, source);

    /// <summary>Sixteen f16 in 32 bytes.</summary>
    public void HalfToFloat(int target, Address source) => Evex(Map.X38, Prefix.X66, 0x13, target, 0, source, Half);

    /// <summary>Sixteen unsigned bytes to 32-bit lanes.</summary>
    public void WidenUnsignedBytes(int target, Address source) => Evex(Map.X38, Prefix.X66, 0x31, target, 0, source, Quarter);

    public void WidenSignedBytes(int target, Address source) => Evex(Map.X38, Prefix.X66, 0x21, target, 0, source, Quarter);

    public void Multiply(int target, int left, int right) => Evex(Map.Plain, Prefix.None, 0x59, target, left, right);

    public void MultiplyBroadcast(int target, int left, Address right) => Evex(Map.Plain, Prefix.None, 0x59, target, left, right, Element, true);

    /// <summary>sum += left * right, fused.</summary>
    public void MultiplyAdd(int sum, int left, int right) => Evex(Map.X38, Prefix.X66, 0xB8, sum, left, right);

    public void MultiplyAddBroadcast(int sum, int left, Address right) => Evex(Map.X38, Prefix.X66, 0xB8, sum, left, right, Element, true);

    /// <summary>sum -= left * right, fused.</summary>
    public void MultiplySubtractBroadcast(int sum, int left, Address right) => Evex(Map.X38, Prefix.X66, 0xBC, sum, left, right, Element, true);

    /// <summary>Before returning to code that uses narrower vectors.</summary>
    public void ZeroUpper()
    {
        _code.Add(0xC5);
        _code.Add(0xF8);
        _code.Add(0x77);
    }

    private void Shift(byte opcode, int extension, int target, int source, int bits)
    {
        Evex(Map.Plain, Prefix.X66, opcode, extension, target, source);
        _code.Add((byte)bits);
    }

    private void Shift(byte opcode, int extension, int target, Address source, int unit, bool broadcast, int bits)
    {
        Evex(Map.Plain, Prefix.X66, opcode, extension, target, source, unit, broadcast);
        _code.Add((byte)bits);
    }

    private void Evex(Map map, Prefix prefix, byte opcode, int register, int second, int rm)
    {
        EvexPrefix(map, prefix, register, second, rm >> 4 & 1, rm >> 3 & 1, false);
        _code.Add(opcode);
        _code.Add((byte)(0xC0 | (register & 7) << 3 | (rm & 7)));
    }

    private void Evex(Map map, Prefix prefix, byte opcode, int register, int second, Address address, int unit, bool broadcast = false)
    {
        int index = address.Scale == 0 ? 0 : (int)address.Index >> 3;
        EvexPrefix(map, prefix, register, second, index, (int)address.Base >> 3, broadcast);
        _code.Add(opcode);
        Memory(register, address, unit);
    }

    /// <summary>Register bits are stored inverted. Vector length is 2 for 512, 1 for 256; no mask.</summary>
    private void EvexPrefix(Map map, Prefix prefix, int register, int second, int x, int b, bool broadcast, int length = 2)
    {
        _code.Add(0x62);
        _code.Add((byte)((~register >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | (~register >> 4 & 1) << 4 | (int)map));
        _code.Add((byte)((~second & 15) << 3 | 4 | (int)prefix));
        _code.Add((byte)(length << 5 | (broadcast ? 0x10 : 0) | (~second >> 4 & 1) << 3));
    }
}
