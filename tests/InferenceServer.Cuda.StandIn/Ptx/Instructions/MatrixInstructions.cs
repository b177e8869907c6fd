using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>ldmatrix and mma.sync. Fragment layouts after PTX ISA, "Matrix Fragments for mma.m16n8k16".</summary>
internal static unsafe class MatrixInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("ldmatrix.sync.aligned.m8n8.x1.shared{,::cta}.b16", "=b32,[]", &LoadMatrix, Flow.Aligned, StateSpace.Shared, false);
        t.Add("ldmatrix.sync.aligned.m8n8.x2.shared{,::cta}.b16", "=b32*2,[]", &LoadMatrix, Flow.Aligned, StateSpace.Shared, false);
        t.Add("ldmatrix.sync.aligned.m8n8.x4.shared{,::cta}.b16", "=b32*4,[]", &LoadMatrix, Flow.Aligned, StateSpace.Shared, false);
        t.Add("ldmatrix.sync.aligned.m8n8.x1.trans.shared{,::cta}.b16", "=b32,[]", &LoadMatrixTransposed, Flow.Aligned, StateSpace.Shared, false);
        t.Add("ldmatrix.sync.aligned.m8n8.x2.trans.shared{,::cta}.b16", "=b32*2,[]", &LoadMatrixTransposed, Flow.Aligned, StateSpace.Shared, false);
        t.Add("ldmatrix.sync.aligned.m8n8.x4.trans.shared{,::cta}.b16", "=b32*4,[]", &LoadMatrixTransposed, Flow.Aligned, StateSpace.Shared, false);
        t.Add("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "=f32*4,b32*4,b32*2,f32*4", &Multiply<BF16>, Flow.Aligned, passesUndefined: false);
        t.Add("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "=f32*4,b32*4,b32*2,f32*4", &Multiply<F16>, Flow.Aligned, passesUndefined: false);
    }

    private static void LoadMatrix(Warp warp, Instruction* i, uint mask)
    {
        byte** rows = stackalloc byte*[32];
        Rows(warp, i, mask, rows);
        for (int m = 0; m < i->Count; m++)
        {
            uint* d = warp.U32(i->R[m]);
            for (int lane = 0; lane < 32; lane++) d[lane] = *(uint*)(rows[m * 8 + lane / 4] + lane % 4 * 4);
        }
    }

    private static void LoadMatrixTransposed(Warp warp, Instruction* i, uint mask)
    {
        byte** rows = stackalloc byte*[32];
        Rows(warp, i, mask, rows);
        for (int m = 0; m < i->Count; m++)
        {
            uint* d = warp.U32(i->R[m]);
            for (int lane = 0; lane < 32; lane++)
            {
                int row = m * 8 + lane % 4 * 2, column = lane / 4 * 2;
                d[lane] = *(ushort*)(rows[row] + column) | (uint)*(ushort*)(rows[row + 1] + column) << 16;
            }
        }
    }

    /// <summary>Eight lanes a matrix give the addresses of its rows.</summary>
    private static void Rows(Warp warp, Instruction* i, uint mask, byte** rows)
    {
        NeedAll(warp, i, mask);
        int lanes = 8 * i->Count;
        warp.CountRequest(i, lanes == 32 ? uint.MaxValue : (1u << lanes) - 1, i->Count, 16);
        for (int lane = 0; lane < lanes; lane++) rows[lane] = warp.Block.Shared.Read(warp, i, lane, warp.Address(i, i->Count, lane), 16);
    }

    /// <summary>D(16x8) = A(16x16) * B(16x8) + C, summed in f32 by ascending k.</summary>
    private static void Multiply<TFormat>(Warp warp, Instruction* i, uint mask) where TFormat : struct, IHalfFormat
    {
        NeedAll(warp, i, mask);
        float* a = stackalloc float[16 * 16];
        float* b = stackalloc float[16 * 8];
        float* c = stackalloc float[16 * 8];
        for (int lane = 0; lane < 32; lane++)
        {
            int group = lane / 4, pair = lane % 4 * 2;
            for (int half = 0; half < 4; half++)
            {
                // a0: row g, a1: row g + 8, a2 and a3: the same eight columns on.
                uint bits = warp.U32(i->R[4 + half])[lane];
                float* to = a + (group + half % 2 * 8) * 16 + pair + half / 2 * 8;
                to[0] = TFormat.WidenToSingle(bits & 0xffff);
                to[1] = TFormat.WidenToSingle(bits >> 16);
                c[(group + half / 2 * 8) * 8 + pair + half % 2] = warp.F32(i->R[10 + half])[lane];
            }
            for (int half = 0; half < 2; half++)
            {
                uint bits = warp.U32(i->R[8 + half])[lane];
                b[(pair + half * 8) * 8 + group] = TFormat.WidenToSingle(bits & 0xffff);
                b[(pair + half * 8 + 1) * 8 + group] = TFormat.WidenToSingle(bits >> 16);
            }
        }
        for (int row = 0; row < 16; row++)
            for (int k = 0; k < 16; k++)
                for (int column = 0; column < 8; column++) c[row * 8 + column] += a[row * 16 + k] * b[k * 8 + column];
        for (int lane = 0; lane < 32; lane++)
            for (int half = 0; half < 4; half++)
                warp.F32(i->R[half])[lane] = c[(lane / 4 + half / 2 * 8) * 8 + lane % 4 * 2 + half % 2];
    }

    private static void NeedAll(Warp warp, Instruction* i, uint mask)
    {
        if (mask != uint.MaxValue) warp.Fault(i, Warp.FirstLane(~mask), $"only lanes {mask:x8} run it: all 32 must, and none may have ended");
    }
}
