using System.Buffers.Binary;

namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// Writes x86-64 machine code: the few instructions that the kernels need and .NET does not expose (AMX, AVX-512 VNNI and BF16, f16 loads) and what
/// stands around them. Encodings: Intel SDM volume 2, "Instruction format", "VEX" and "EVEX". Not thread-safe.
/// </summary>
internal sealed partial class Assembler
{
    private readonly List<byte> _code = [];

    public int Position => _code.Count;

    public byte[] ToArray() => [.. _code];

    /// <summary>Pads with no-ops, so that a loop begins at a line of the decoder.</summary>
    public void Align(int bytes)
    {
        while (_code.Count % bytes != 0) _code.Add(0x90);
    }

    public void Push(Gp register) => ShortForm(0x50, register);

    public void Pop(Gp register) => ShortForm(0x58, register);

    public void Return() => _code.Add(0xC3);

    public void Move(Gp target, Address source) => Wide(0x8B, target, source);

    public void Move(Gp target, Gp source) => Wide(0x8B, target, source);

    /// <summary>The low 32 bits; the high ones become 0.</summary>
    public void Move(Gp target, uint value)
    {
        ShortForm(0xB8, target);
        Int32(unchecked((int)value));
    }

    public void LoadAddress(Gp target, Address source) => Wide(0x8D, target, source);

    public void Add(Gp target, Gp source) => Wide(0x03, target, source);

    public void Add(Gp target, int value)
    {
        Rex(0, target);
        _code.Add(0x81);
        _code.Add((byte)(0xC0 | ((int)target & 7)));
        Int32(value);
    }

    /// <summary>To a multiple of a power of two.</summary>
    public void AlignDown(Gp target, int bytes)
    {
        Rex(0, target);
        _code.Add(0x81);
        _code.Add((byte)(0xE0 | ((int)target & 7)));
        Int32(-bytes);
    }

    /// <summary>Subtracts 1 and sets the zero flag.</summary>
    public void Decrement(Gp target)
    {
        Rex(0, target);
        _code.Add(0xFF);
        _code.Add((byte)(0xC8 | ((int)target & 7)));
    }

    /// <summary>Jumps back unless the last result was 0.</summary>
    public void JumpIfNotZero(int position)
    {
        _code.Add(0x0F);
        _code.Add(0x85);
        Int32(position - (_code.Count + 4));
    }

    /// <summary>Into the cache of a level and those behind it.</summary>
    public void Prefetch(Address address, int level)
    {
        int index = address.Scale == 0 ? 0 : (int)address.Index >> 3, rex = index << 1 | (int)address.Base >> 3;
        if (rex != 0) _code.Add((byte)(0x40 | rex));
        _code.Add(0x0F);
        _code.Add(0x18);
        Memory(level, address, 1);
    }

    private void ShortForm(int opcode, Gp register)
    {
        if ((int)register > 7) _code.Add(0x41);
        _code.Add((byte)(opcode | ((int)register & 7)));
    }

    private void Wide(byte opcode, Gp register, Gp source)
    {
        Rex((int)register, source);
        _code.Add(opcode);
        _code.Add((byte)(0xC0 | ((int)register & 7) << 3 | ((int)source & 7)));
    }

    private void Wide(byte opcode, Gp register, Address address)
    {
        int index = address.Scale == 0 ? 0 : (int)address.Index >> 3;
        _code.Add((byte)(0x48 | (int)register >> 3 << 2 | index << 1 | (int)address.Base >> 3));
        _code.Add(opcode);
        Memory((int)register, address, 1);
    }

    private void Rex(int register, Gp rm) => _code.Add((byte)(0x48 | register >> 3 << 2 | (int)rm >> 3));

    /// <summary>ModRM, SIB and displacement. An EVEX displacement byte counts in units of <paramref name="unit"/> bytes.</summary>
    private void Memory(int register, Address address, int unit)
    {
        int reg = (register & 7) << 3, low = (int)address.Base & 7, displacement = address.Displacement;
        bool small = displacement % unit == 0 && displacement / unit is >= -128 and <= 127;
        int mode = displacement == 0 && low != 5 ? 0 : small ? 1 : 2;
        bool indexed = address.Scale != 0 || low == 4;
        _code.Add((byte)(mode << 6 | reg | (indexed ? 4 : low)));
        if (indexed)
        {
            int scale = address.Scale switch { 2 => 1, 4 => 2, 8 => 3, _ => 0 };
            _code.Add((byte)(scale << 6 | (address.Scale == 0 ? 4 : (int)address.Index & 7) << 3 | low));
        }

        if (mode == 1) _code.Add(unchecked((byte)(sbyte)(displacement / unit)));
        else if (mode == 2) Int32(displacement);
    }

    private void Int32(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        foreach (byte b in bytes) _code.Add(b);
    }
}
