using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>Exchange between the lanes of a warp. The last operand names the lanes that take part.</summary>
internal static unsafe class WarpInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("shfl.sync.up.b32", "=b32|p,b32,b32,b32,b32", &Shuffle<ShuffleUp>, Flow.Members);
        t.Add("shfl.sync.down.b32", "=b32|p,b32,b32,b32,b32", &Shuffle<ShuffleDown>, Flow.Members);
        t.Add("shfl.sync.bfly.b32", "=b32|p,b32,b32,b32,b32", &Shuffle<ShuffleButterfly>, Flow.Members);
        t.Add("shfl.sync.idx.b32", "=b32|p,b32,b32,b32,b32", &Shuffle<ShuffleIndex>, Flow.Members);
        t.Add("vote.sync.all.pred", "=pred,!pred,b32", &VoteAll, Flow.Members, passesUndefined: false);
        t.Add("vote.sync.any.pred", "=pred,!pred,b32", &VoteAny, Flow.Members, passesUndefined: false);
        t.Add("vote.sync.uni.pred", "=pred,!pred,b32", &VoteUniform, Flow.Members, passesUndefined: false);
        t.Add("vote.sync.ballot.b32", "=b32,!pred,b32", &Ballot, Flow.Members, passesUndefined: false);
        t.Add("match.any.sync.b32", "=b32,T,b32", &MatchAny<uint>, Flow.Members, passesUndefined: false);
        t.Add("match.any.sync.b64", "=b32,T,b32", &MatchAny<ulong>, Flow.Members, passesUndefined: false);
        t.Add("match.all.sync.b32", "=b32|p,T,b32", &MatchAll<uint>, Flow.Members, passesUndefined: false);
        t.Add("match.all.sync.b64", "=b32|p,T,b32", &MatchAll<ulong>, Flow.Members, passesUndefined: false);
        t.Add("activemask.b32", "=b32", &ActiveMask);
        t.Add("redux.sync.add.{u32,s32}", "=T,T,b32", &Combine<uint, Plus<uint>>, Flow.Members, passesUndefined: false);
        t.Add("redux.sync.min.u32", "=T,T,b32", &Combine<uint, Smaller<uint>>, Flow.Members, passesUndefined: false);
        t.Add("redux.sync.min.s32", "=T,T,b32", &Combine<int, Smaller<int>>, Flow.Members, passesUndefined: false);
        t.Add("redux.sync.max.u32", "=T,T,b32", &Combine<uint, Larger<uint>>, Flow.Members, passesUndefined: false);
        t.Add("redux.sync.max.s32", "=T,T,b32", &Combine<int, Larger<int>>, Flow.Members, passesUndefined: false);
        t.Add("redux.sync.and.b32", "=T,T,b32", &Combine<uint, BitAnd<uint>>, Flow.Members, passesUndefined: false);
        t.Add("redux.sync.or.b32", "=T,T,b32", &Combine<uint, BitOr<uint>>, Flow.Members, passesUndefined: false);
        t.Add("redux.sync.xor.b32", "=T,T,b32", &Combine<uint, BitXor<uint>>, Flow.Members, passesUndefined: false);
        t.Add("elect.sync", "=b32|p,b32", &Elect, Flow.Members, passesUndefined: false);
    }

    /// <summary>All lanes name the same members, are members themselves, and no member that lives is missing.</summary>
    public static uint CheckMembers(Warp warp, Instruction* i, int operand, uint mask)
    {
        uint* row = warp.U32(i->R[operand]);
        uint members = row[Warp.FirstLane(mask)];
        if ((mask & ~members) != 0) warp.Fault(i, Warp.FirstLane(mask & ~members), $"a lane that the member mask {members:x8} does not name");
        uint missing = members & warp.Alive & ~mask;
        if (missing != 0) warp.Fault(i, Warp.FirstLane(mask), $"lanes {missing:x8} of the member mask {members:x8} do not take part");
        for (uint lanes = mask; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            if (row[lane] != members) warp.Fault(i, lane, $"member masks {row[lane]:x8} and {members:x8} in one warp");
        }
        return members;
    }

    /// <summary>Which lane each lane reads, after the pseudo code of PTX ISA, "shfl.sync".</summary>
    private static void Shuffle<TMode>(Warp warp, Instruction* i, uint mask) where TMode : struct, IShuffle
    {
        CheckMembers(warp, i, 5, mask);
        uint* d = warp.U32(i->R[0]);
        uint* a = warp.U32(i->R[2]);
        uint* b = warp.U32(i->R[3]);
        uint* c = warp.U32(i->R[4]);
        uint* values = stackalloc uint[32];
        uint inRange = 0;
        for (uint lanes = mask; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            int segment = (int)(c[lane] >> 8 & 31), clamp = (int)(c[lane] & 31);
            int bound = (lane & segment) | (clamp & ~segment), first = lane & segment;
            bool valid = TMode.Source(lane, (int)(b[lane] & 31), first, bound, segment, out int source);
            if (!valid) source = lane;
            else inRange |= 1u << lane;
            if ((mask >> source & 1) == 0) warp.Fault(i, lane, $"reads the value of lane {source}, which does not take part");
            values[lane] = a[source];
        }
        for (uint lanes = mask; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            d[lane] = values[lane];
        }
        if (i->R[1] >= 0) warp.SetPredicate(i->R[1], mask, inRange);
    }

    private static uint Voters(Warp warp, Instruction* i, uint mask, out uint members)
    {
        members = CheckMembers(warp, i, 2, mask);
        return (warp.Predicate(i->R[1]) ^ (i->Negated ? uint.MaxValue : 0)) & mask;
    }

    private static void VoteAll(Warp warp, Instruction* i, uint mask) => warp.SetPredicate(i->R[0], mask, Voters(warp, i, mask, out _) == mask ? uint.MaxValue : 0);

    private static void VoteAny(Warp warp, Instruction* i, uint mask) => warp.SetPredicate(i->R[0], mask, Voters(warp, i, mask, out _) != 0 ? uint.MaxValue : 0);

    private static void VoteUniform(Warp warp, Instruction* i, uint mask)
    {
        uint voters = Voters(warp, i, mask, out _);
        warp.SetPredicate(i->R[0], mask, voters == 0 || voters == mask ? uint.MaxValue : 0);
    }

    private static void Ballot(Warp warp, Instruction* i, uint mask) => SetAll(warp, i, mask, Voters(warp, i, mask, out _));

    private static void MatchAny<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        CheckMembers(warp, i, 2, mask);
        uint* result = stackalloc uint[32];
        T* a = (T*)(warp.Registers + i->R[1]);
        for (int lane = 0; lane < 32; lane++)
        {
            result[lane] = 0;
            for (int other = 0; other < 32; other++)
                if ((mask >> other & 1) != 0 && a[other] == a[lane]) result[lane] |= 1u << other;
        }
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) warp.U32(i->R[0])[lane] = result[lane];
    }

    private static void MatchAll<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        CheckMembers(warp, i, 3, mask);
        T* a = (T*)(warp.Registers + i->R[2]);
        T first = a[Warp.FirstLane(mask)];
        bool all = true;
        for (int lane = 0; lane < 32; lane++) all &= (mask >> lane & 1) == 0 || a[lane] == first;
        SetAll(warp, i, mask, all ? mask : 0);
        if (i->R[1] >= 0) warp.SetPredicate(i->R[1], mask, all ? uint.MaxValue : 0);
    }

    private static void ActiveMask(Warp warp, Instruction* i, uint mask) => SetAll(warp, i, mask, mask);

    private static void Combine<T, TUpdate>(Warp warp, Instruction* i, uint mask) where T : unmanaged where TUpdate : struct, IUpdate<T>
    {
        CheckMembers(warp, i, 2, mask);
        T* d = (T*)(warp.Registers + i->R[0]);
        T* a = (T*)(warp.Registers + i->R[1]);
        T sum = a[Warp.FirstLane(mask)];
        for (uint rest = mask & (mask - 1); rest != 0; rest &= rest - 1) sum = TUpdate.Of(sum, a[BitOperations.TrailingZeroCount(rest)]);
        for (; mask != 0; mask &= mask - 1) d[BitOperations.TrailingZeroCount(mask)] = sum;
    }

    private static void Elect(Warp warp, Instruction* i, uint mask)
    {
        CheckMembers(warp, i, 2, mask);
        int leader = Warp.FirstLane(mask);
        SetAll(warp, i, mask, (uint)leader);
        if (i->R[1] >= 0) warp.SetPredicate(i->R[1], mask, 1u << leader);
    }

    private static void SetAll(Warp warp, Instruction* i, uint mask, uint value)
    {
        uint* d = warp.U32(i->R[0]);
        for (; mask != 0; mask &= mask - 1) d[BitOperations.TrailingZeroCount(mask)] = value;
    }
}

/// <summary>Finds the source lane; false if it lies outside the segment.</summary>
internal interface IShuffle
{
    static abstract bool Source(int lane, int b, int first, int bound, int segment, out int source);
}

internal readonly struct ShuffleUp : IShuffle
{
    public static bool Source(int lane, int b, int first, int bound, int segment, out int source)
    {
        source = lane - b;
        return source >= bound;
    }
}

internal readonly struct ShuffleDown : IShuffle
{
    public static bool Source(int lane, int b, int first, int bound, int segment, out int source)
    {
        source = lane + b;
        return source <= bound;
    }
}

internal readonly struct ShuffleButterfly : IShuffle
{
    public static bool Source(int lane, int b, int first, int bound, int segment, out int source)
    {
        source = lane ^ b;
        return source <= bound;
    }
}

internal readonly struct ShuffleIndex : IShuffle
{
    public static bool Source(int lane, int b, int first, int bound, int segment, out int source)
    {
        source = first | (b & ~segment);
        return source <= bound;
    }
}
