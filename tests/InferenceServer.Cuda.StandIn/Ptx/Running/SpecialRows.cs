using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>Fills the rows of constants and special registers: constants once, the others a launch or a block.</summary>
internal static unsafe class SpecialRows
{
    public static void SetConstants(Warp warp, InstructionStream code)
    {
        for (int r = 0; r < code.Registers.Count; r++)
        {
            Register register = code.Registers[r];
            if (register.Role == RegisterRole.Constant) Fill(warp, code, r, register.Bits);
        }
    }

    public static void SetLaunch(Warp warp, InstructionStream code, KernelLaunch launch)
    {
        for (int r = 0; r < code.Registers.Count; r++)
        {
            Register register = code.Registers[r];
            if (register.Role != RegisterRole.Special || IsOfBlock((SpecialRegister)register.Bits)) continue;
            if (register.Type.Bytes() == 8) Fill(warp, code, r, 0);
            else for (uint lane = 0; lane < 32; lane++) warp.U32(code.Layout.Offsets[r])[lane] = OfLane((SpecialRegister)register.Bits, warp, lane, launch);
        }
    }

    public static void SetBlock(Warp warp, InstructionStream code, (uint X, uint Y, uint Z) block)
    {
        foreach (int r in code.BlockRows)
        {
            uint value = (SpecialRegister)code.Registers[r].Bits switch
            {
                SpecialRegister.CtaidX => block.X,
                SpecialRegister.CtaidY => block.Y,
                _ => block.Z,
            };
            Fill(warp, code, r, value);
        }
    }

    public static bool IsOfBlock(SpecialRegister special) => special is SpecialRegister.CtaidX or SpecialRegister.CtaidY or SpecialRegister.CtaidZ;

    private static uint OfLane(SpecialRegister special, Warp warp, uint lane, KernelLaunch launch)
    {
        uint thread = (uint)warp.Index * 32 + lane;
        return special switch
        {
            SpecialRegister.TidX => thread % launch.BlockX,
            SpecialRegister.TidY => thread / launch.BlockX % launch.BlockY,
            SpecialRegister.TidZ => thread / (launch.BlockX * launch.BlockY),
            SpecialRegister.NtidX => launch.BlockX,
            SpecialRegister.NtidY => launch.BlockY,
            SpecialRegister.NtidZ => launch.BlockZ,
            SpecialRegister.NctaidX => launch.GridX,
            SpecialRegister.NctaidY => launch.GridY,
            SpecialRegister.NctaidZ => launch.GridZ,
            SpecialRegister.Laneid => lane,
            SpecialRegister.Warpid => (uint)warp.Index,
            SpecialRegister.Nwarpid => (launch.ThreadsPerBlock + 31) / 32,
            SpecialRegister.Nsmid => 1,
            SpecialRegister.LanemaskEq => 1u << (int)lane,
            SpecialRegister.LanemaskLt => (1u << (int)lane) - 1,
            SpecialRegister.LanemaskLe => (1u << (int)lane) | ((1u << (int)lane) - 1),
            SpecialRegister.LanemaskGe => ~((1u << (int)lane) - 1),
            SpecialRegister.LanemaskGt => ~((1u << (int)lane) | ((1u << (int)lane) - 1)),
            SpecialRegister.DynamicSmemSize => (uint)launch.DynamicSharedBytes,
            SpecialRegister.TotalSmemSize => (uint)(launch.DynamicSharedBytes + launch.Kernel.StaticSharedBytes),
            // Clocks stand still: nothing here takes a time worth telling.
            _ => 0,
        };
    }

    private static void Fill(Warp warp, InstructionStream code, int register, ulong bits)
    {
        int offset = code.Layout.Offsets[register];
        switch (code.Registers[register].RowBytes)
        {
            case 4: warp.Predicate(offset) = bits != 0 ? uint.MaxValue : 0; break;
            case 256: new Span<ulong>(warp.U64(offset), 32).Fill(bits); break;
            default: new Span<uint>(warp.U32(offset), 32).Fill((uint)bits); break;
        }
    }
}
