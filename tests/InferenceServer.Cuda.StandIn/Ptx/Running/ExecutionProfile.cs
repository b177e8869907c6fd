using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>What one executor counted in the current launch; an instruction's row has its executions, requests, wavefronts or sectors, and the ideal.</summary>
internal sealed unsafe class ExecutionProfile
{
    private const int SectorBytes = 32;
    private long[] _rows = [];

    public long WarpInstructions;
    public long LaneInstructions;
    /// <summary>Executions per instruction; null when not asked for.</summary>
    public long* Executed { get; private set; }
    public long* Requests { get; private set; }
    public long* Transfers { get; private set; }
    public long* Ideal { get; private set; }

    public void Prepare(int instructions, bool asked)
    {
        WarpInstructions = LaneInstructions = 0;
        if (!asked) return;
        if (_rows.Length < 4 * instructions) _rows = GC.AllocateArray<long>(4 * instructions, pinned: true);
        Array.Clear(_rows);
        Executed = (long*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _rows[0]);
        Requests = Executed + instructions;
        Transfers = Requests + instructions;
        Ideal = Transfers + instructions;
    }

    /// <summary>Counts a request of the lanes of a mask: sectors of 32 bytes in global memory, wavefronts over 32 banks in shared memory.</summary>
    public void Count(Warp warp, Instruction* i, uint mask, int addressOperand, int bytes)
    {
        ulong* addresses = stackalloc ulong[32];
        StateSpace space = i->Space;
        for (uint lanes = mask; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            addresses[lane] = warp.Address(i, addressOperand, lane);
            if (i->Space == StateSpace.Generic) space = AddressWindows.Resolve(ref addresses[lane]);
        }
        if (mask != 0) Count(warp.IndexOf(i), space, mask, addresses, bytes);
    }

    public void Count(int instruction, StateSpace space, uint mask, ulong* addresses, int bytes)
    {
        if (space is not (StateSpace.Global or StateSpace.Shared)) return;
        Requests[instruction]++;
        if (space == StateSpace.Global) CountSectors(instruction, mask, addresses, bytes);
        else CountWavefronts(instruction, mask, addresses, bytes);
    }

    private void CountSectors(int instruction, uint mask, ulong* addresses, int bytes)
    {
        Span<ulong> touched = stackalloc ulong[32];
        int count = 0, sectors = 0, distinct = 0;
        for (; mask != 0; mask &= mask - 1) touched[count++] = addresses[BitOperations.TrailingZeroCount(mask)];
        touched = touched[..count];
        touched.Sort();
        for (int k = 0; k < count; k++)
        {
            if (k == 0 || touched[k] != touched[k - 1]) distinct++;
            // An access is aligned and at most 16 bytes, so that it lies in one sector.
            if (k == 0 || touched[k] / SectorBytes != touched[k - 1] / SectorBytes) sectors++;
        }
        Transfers[instruction] += sectors;
        Ideal[instruction] += (distinct * bytes + SectorBytes - 1) / SectorBytes;
    }

    /// <summary>Each wavefront serves every bank once: all lanes with words, half of them with 8 bytes, a quarter with 16.</summary>
    private void CountWavefronts(int instruction, uint mask, ulong* addresses, int bytes)
    {
        int lanes = bytes >= 16 ? 8 : bytes == 8 ? 16 : 32;
        Span<uint> words = stackalloc uint[32];
        for (int first = 0; first < 32; first += lanes)
        {
            int count = 0;
            for (int lane = first; lane < first + lanes; lane++)
            {
                if ((mask >> lane & 1) == 0) continue;
                for (int k = 0; k < Math.Max(1, bytes / 4); k++) words[count++] = (uint)(addresses[lane] / 4) + (uint)k;
            }
            if (count == 0) continue;
            Transfers[instruction] += WorstBank(words[..count]);
            Ideal[instruction]++;
        }
    }

    private static int WorstBank(Span<uint> words)
    {
        Span<byte> perBank = stackalloc byte[32];
        perBank.Clear();
        words.Sort();
        int worst = 0;
        for (int k = 0; k < words.Length; k++)
            if (k == 0 || words[k] != words[k - 1]) worst = Math.Max(worst, ++perBank[(int)(words[k] % 32)]);
        return worst;
    }
}
