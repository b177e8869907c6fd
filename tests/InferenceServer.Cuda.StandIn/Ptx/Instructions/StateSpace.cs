namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>Where a memory operand lies. Generic addresses are told apart by <see cref="AddressWindows"/>.</summary>
internal enum StateSpace : byte { Generic, Global, Const, Shared, Local, Param }

/// <summary>
/// The generic address space of the stand-in: host addresses are global, and three windows far above any host address hold the rest.
/// </summary>
internal static class AddressWindows
{
    public const ulong Param = 0x7c00_0000_0000_0000, Local = 0x7d00_0000_0000_0000, Shared = 0x7e00_0000_0000_0000;
    public const ulong Size = 1ul << 32;

    public static ulong Base(StateSpace space) => space switch
    {
        StateSpace.Shared => Shared,
        StateSpace.Local => Local,
        StateSpace.Param => Param,
        _ => 0,
    };

    /// <summary>The space a generic address points into; <paramref name="address"/> becomes the address inside it.</summary>
    public static StateSpace Resolve(ref ulong address)
    {
        if (address < Param) return StateSpace.Global;
        if (address - Shared < Size) { address -= Shared; return StateSpace.Shared; }
        if (address - Local < Size) { address -= Local; return StateSpace.Local; }
        if (address - Param < Size) { address -= Param; return StateSpace.Param; }
        return StateSpace.Global;
    }
}
