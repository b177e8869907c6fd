using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>How the lanes of a warp reach memory.</summary>
internal sealed unsafe partial class Warp
{
    /// <summary>The bits of a register operand in one lane, zero-extended.</summary>
    public ulong Get(Instruction* i, int operand, int lane) => i->IsWide(operand) ? U64(i->R[operand])[lane] : U32(i->R[operand])[lane];

    /// <summary>Sets a register operand in one lane to the low bits of <paramref name="value"/>.</summary>
    public void Set(Instruction* i, int operand, int lane, ulong value)
    {
        if (i->IsWide(operand)) U64(i->R[operand])[lane] = value;
        else U32(i->R[operand])[lane] = i->IsNarrow(operand) ? (ushort)value : (uint)value;
    }

    /// <summary>The address a lane gives in register operand <paramref name="operand"/>, the offset added. 32-bit addresses wrap around.</summary>
    public ulong Address(Instruction* i, int operand, int lane) =>
        i->IsWide(operand) ? U64(i->R[operand])[lane] + (ulong)i->Offset : (uint)(U32(i->R[operand])[lane] + i->Offset);

    /// <summary>Where the bytes that a lane reads lie.</summary>
    public byte* Locate(Instruction* i, int lane, ulong address, int bytes)
    {
        StateSpace space = i->Space == StateSpace.Generic ? AddressWindows.Resolve(ref address) : i->Space;
        return space switch
        {
            StateSpace.Shared => block.Shared.Read(this, i, lane, address, bytes),
            StateSpace.Local => LocalAt(i, lane, address, bytes),
            StateSpace.Param => ParamAt(i, lane, address, bytes),
            _ => Global(i, lane, address, bytes, write: false),
        };
    }

    public void Write(Instruction* i, int lane, ulong address, byte* value, int bytes)
    {
        StateSpace space = i->Space == StateSpace.Generic ? AddressWindows.Resolve(ref address) : i->Space;
        if (space == StateSpace.Shared)
        {
            block.Shared.Write(this, i, lane, address, value, bytes);
            return;
        }
        if (space == StateSpace.Param) Fault(i, lane, "a kernel writes its parameters");
        byte* to = space == StateSpace.Local ? LocalAt(i, lane, address, bytes) : Global(i, lane, address, bytes, write: true);
        switch (bytes)
        {
            // One store each, so that other blocks never see half a word.
            case 4: *(uint*)to = *(uint*)value; break;
            case 8: *(ulong*)to = *(ulong*)value; break;
            default: Buffer.MemoryCopy(value, to, bytes, bytes); break;
        }
    }

    public byte* Global(Instruction* i, int lane, ulong address, int bytes, bool write)
    {
        if ((address & (ulong)(bytes - 1)) != 0) Fault(i, lane, $"misaligned {(write ? "write" : "read")} of {bytes} bytes at global address 0x{address:x}");
        byte* at = block.Global.Map(address, bytes, write);
        if (at == null) Fault(i, lane, $"{(write ? "write" : "read")} of {bytes} bytes at global address 0x{address:x} is not within any allocation{block.Global.Nearest(address)}");
        return at;
    }

    /// <summary>Checks that bytes may be read; how many need not be a power of two.</summary>
    public void CheckGlobal(Instruction* i, int lane, ulong address, int bytes)
    {
        if (block.Global.Map(address, bytes, write: false) == null)
            Fault(i, lane, $"read of {bytes} bytes at global address 0x{address:x} is not within any allocation{block.Global.Nearest(address)}");
    }

    /// <summary>The word an atomic operation changes.</summary>
    public byte* Atomic(Instruction* i, int lane, ulong address, int bytes)
    {
        StateSpace space = i->Space == StateSpace.Generic ? AddressWindows.Resolve(ref address) : i->Space;
        if (space is StateSpace.Local or StateSpace.Param) Fault(i, lane, "an atomic operation on memory of one thread");
        return space == StateSpace.Shared ? block.Shared.Atomic(this, i, lane, address, bytes) : Global(i, lane, address, bytes, write: true);
    }

    public void CountRequest(Instruction* i, uint mask, int addressOperand, int bytes)
    {
        if (block.Profile.Requests != null) block.Profile.Count(this, i, mask, addressOperand, bytes);
    }

    private byte* LocalAt(Instruction* i, int lane, ulong address, int bytes)
    {
        int size = block.Launch.Kernel.LocalBytes;
        if ((address & (ulong)(bytes - 1)) != 0) Fault(i, lane, $"misaligned access of {bytes} bytes at local address 0x{address:x}");
        if (address >= (ulong)size || address + (ulong)bytes > (ulong)size) Fault(i, lane, $"access of {bytes} bytes at local address 0x{address:x}, the kernel has {size}");
        return Local + (nint)lane * Parsing.SharedLayout.Align(size, 16) + (nint)address;
    }

    private byte* ParamAt(Instruction* i, int lane, ulong address, int bytes)
    {
        int size = block.Launch.Kernel.ParameterBytes;
        if ((address & (ulong)(bytes - 1)) != 0) Fault(i, lane, $"misaligned read of {bytes} bytes at parameter offset {address}");
        if (address >= (ulong)size || address + (ulong)bytes > (ulong)size) Fault(i, lane, $"read of {bytes} bytes at parameter offset {address}, the kernel has {size}");
        return block.Parameters + (nint)address;
    }
}
