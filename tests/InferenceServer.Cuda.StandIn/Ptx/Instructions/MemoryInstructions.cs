using System.Numerics;
using System.Runtime.CompilerServices;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>Loads and stores, with the cache operators and hints that PTX allows where it allows them.</summary>
internal static unsafe class MemoryInstructions
{
    private const string Evict = "{,.L1::evict_normal,.L1::evict_unchanged,.L1::evict_first,.L1::evict_last,.L1::no_allocate}";
    private const string Prefetch = "{,.L2::64B,.L2::128B,.L2::256B}";
    private const string Scope = "{cta,cluster,gpu,sys}";
    private static readonly (string Name, StateSpace Space)[] Spaces =
        [("", StateSpace.Generic), (".global", StateSpace.Global), (".shared", StateSpace.Shared), (".shared::cta", StateSpace.Shared), (".local", StateSpace.Local)];

    public static void Define(InstructionTable t)
    {
        Element<byte>(t, "b8,u8");
        Element<sbyte>(t, "s8");
        Element<ushort>(t, "b16,u16");
        Element<short>(t, "s16");
        Element<uint>(t, "b32,u32,f32");
        Element<int>(t, "s32");
        Element<ulong>(t, "b64,u64,s64,f64");
        t.Add("prefetch{,.global}.{L1,L2}", "[]", &Nothing);
        t.Add("prefetchu.L1", "[]", &Nothing);
    }

    private static void Element<T>(InstructionTable t, string types) where T : unmanaged, IBinaryInteger<T>
    {
        Vector<T>(t, $".{{{types}}}", "");
        Vector<T>(t, $".v2.{{{types}}}", "*2");
        // Vectors end at 16 bytes.
        if (sizeof(T) <= 4) Vector<T>(t, $".v4.{{{types}}}", "*4");
    }

    private static void Vector<T>(InstructionTable t, string types, string count) where T : unmanaged, IBinaryInteger<T>
    {
        string value = "~T" + count, loads = $"={value},[]", stores = $"[],{value}";
        foreach ((string name, StateSpace space) in Spaces)
        {
            string hints = space is StateSpace.Generic or StateSpace.Global ? Evict + Prefetch : "";
            t.Add($"ld{name}{hints}{types}", loads, &Load<T>, space: space, passesUndefined: false);
            t.Add($"ld.weak{name}{types}", loads, &Load<T>, space: space, passesUndefined: false);
            t.Add($"ld{name}.{{ca,cg,cs,lu,cv}}{types}", loads, &Load<T>, space: space, passesUndefined: false);
            t.Add($"ld.volatile{name}{types}", loads, &Load<T>, space: space, passesUndefined: false);
            t.Add($"st{name}{types}", stores, &Store<T>, space: space, passesUndefined: false);
            t.Add($"st.weak{name}{types}", stores, &Store<T>, space: space, passesUndefined: false);
            t.Add($"st{name}.{{wb,cg,cs,wt}}{types}", stores, &Store<T>, space: space, passesUndefined: false);
            t.Add($"st.volatile{name}{types}", stores, &Store<T>, space: space, passesUndefined: false);
            if (space == StateSpace.Local) continue;
            t.Add($"ld.{{relaxed,acquire}}.{Scope}{name}{types}", loads, &Load<T>, space: space, passesUndefined: false);
            t.Add($"st.{{relaxed,release}}.{Scope}{name}{types}", stores, &Store<T>, space: space, passesUndefined: false);
        }
        t.Add($"ld.global{{,.ca,.cg,.cs}}.nc{Prefetch}{types}", loads, &Load<T>, space: StateSpace.Global, passesUndefined: false);
        t.Add($"ld.global.nc{Evict[..^1].Replace("{,", "{", StringComparison.Ordinal)}}}{Prefetch}{types}", loads, &Load<T>, space: StateSpace.Global, passesUndefined: false);
        t.Add($"st.global.{{L1::evict_normal,L1::evict_unchanged,L1::evict_first,L1::evict_last,L1::no_allocate}}{types}", stores, &Store<T>, space: StateSpace.Global, passesUndefined: false);
        t.Add($"ld.param{types}", loads, &Load<T>, space: StateSpace.Param, passesUndefined: false);
        t.Add($"ld.const{types}", loads, &Load<T>, space: StateSpace.Const, passesUndefined: false);
    }

    private static void Nothing(Warp warp, Instruction* i, uint mask)
    {
    }

    private static void Load<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        int count = i->Count, bytes = sizeof(T) * count;
        warp.CountRequest(i, mask, count, bytes);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            byte* from = warp.Locate(i, lane, warp.Address(i, count, lane), bytes);
            for (int k = 0; k < count; k++)
                warp.Set(i, k, lane, ulong.CreateTruncating(Unsafe.ReadUnaligned<T>(from + k * sizeof(T))));
        }
    }

    private static void Store<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        int count = i->Count, bytes = sizeof(T) * count;
        byte* value = stackalloc byte[16];
        warp.CountRequest(i, mask, 0, bytes);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            for (int k = 0; k < count; k++)
                Unsafe.WriteUnaligned(value + k * sizeof(T), T.CreateTruncating(warp.Get(i, 1 + k, lane)));
            warp.Write(i, lane, warp.Address(i, 0, lane), value, bytes);
        }
    }
}
