using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Kernels;

namespace InferenceServer.Cuda.Tests.Mutations;

/// <summary>Bugs in the products and in the small kernels around them.</summary>
internal static class LinearMutations
{
    private const string WeakMemory = "the stand-in's memory is strongly ordered";
    private const string Lockstep = "the stand-in runs the lanes of a warp in step";

    public static IReadOnlyList<Mutation> All { get; } = [.. Gemm(), .. Gemv(), .. Norm(), .. Rope(), .. Small()];

    private static IEnumerable<Mutation> Gemm()
    {
        static void Tile(KernelSource source) => ProductKernelTests.Check(50, 130, 712, ElementType.BF16, wide: false, bias: true, new GemmPlan(2, 1), source);
        static void Pieces(KernelSource source) => ProductKernelTests.Check(33, 72, 840, ElementType.BF16, wide: true, bias: true, new GemmPlan(1, 3), source);
        static Mutation Bug(string name, string find, string replace, Action<KernelSource> check) => new("gemm", name, find, replace, check);
        yield return Bug("no barrier between stages", "bar_sync();  // this stage", "// this stage", Tile);
        yield return Bug("wait for copies one too lax", "copy_async_wait<STAGES - 2>", "copy_async_wait<STAGES - 1>", Tile);
        yield return Bug("no wait for the kernel's first copies", "      copy_async_wait<STAGES - 2>();\n", "      if (step > begin) copy_async_wait<STAGES - 2>();\n", Tile);
        yield return Bug("swizzle on one side only", "copy_async16(to + gemm_swizzle(r, chunk),", "copy_async16(to + r * GEMM_ROW + chunk * 16,", Tile);
        yield return Bug("a row too many", "row0 + r < rows && at < k", "row0 + r <= rows && at < k", Tile);
        yield return Bug("a chunk of k too many", "row0 + r < rows && at < k", "row0 + r < rows && at <= k", Tile);
        yield return Bug("stride taken from the size", "(u64)(row0 + r) * stride + at", "(u64)(row0 + r) * k + at", Tile);
        yield return Bug("halves of k swapped in one fragment", "a[g], b[0], b[1])", "a[g], b[1], b[0])", Tile);
        yield return Bug("bias read past its end", "if (column < p.n) a +=", "if (column <= p.n) a +=", Tile);
        yield return Bug("stage refilled while it is read", "target = stage == 0 ? STAGES - 1 : stage - 1", "target = stage", Tile);
        yield return Bug("copies without a group", "      copy_async_commit();\n      multiply(", "      multiply(", Tile);
        yield return Bug("nothing beyond the edges is zeroed", "u32 bytes = valid ? 16 : 0;", "u32 bytes = 16;", Tile) with { File = "cuport.cuh" };
        yield return Bug("counters stay", "if (last) *counter = 0;", "", Pieces);
        yield return Bug("sums are combined before the last piece is there", "== p.splits - 1;", "== p.splits - 2;", Pieces);
        yield return Bug("pieces lose the last steps", "steps * ((int)blockIdx.z + 1) / p.splits", "steps / p.splits * ((int)blockIdx.z + 1)", Pieces);
        yield return Bug("pieces share one partial sum", "p.partial + blockIdx.z * piece", "p.partial", Pieces);
        yield return Bug("`last` is read without a barrier", "    bar_sync();\n    if (!last) return false;", "    if (!last) return false;", Pieces);
        yield return Bug("arrival before the block has written", "    thread_fence();\n    bar_sync();\n    int* counter", "    thread_fence();\n    int* counter", Pieces) with { Elusive = "a block's warps finish before another block on the same thread starts" };
        yield return Bug("no fence before the arrival", "    thread_fence();\n    bar_sync();\n    int* counter", "    bar_sync();\n    int* counter", Pieces) with { Elusive = WeakMemory };
    }

    private static IEnumerable<Mutation> Gemv()
    {
        static void Project(KernelSource source) => ProductKernelTests.Check(3, 17, 1030, ElementType.BF16, wide: false, bias: true, gemm: null, source);
        static void GateUp(KernelSource source) => ProductKernelTests.CheckGateUp(3, 33, 96, ElementType.BF16, source);
        static Mutation Bug(string name, string find, string replace, Action<KernelSource> check) => new("gemv", name, find, replace, check);
        yield return Bug("x is read past k", "        if (at + d * GEMV_STRIDE < k) {", "        {", Project);
        yield return Bug("the tail of k is dropped", "while (at < k)", "while (at + GEMV_STRIDE < k)", Project);
        yield return Bug("weight rows past n", "column + r < p.n ? column + r : p.n - 1", "column + r", Project);
        yield return Bug("weights off by one element", "load_stream_if(rows[r] + i, i < k)", "load_stream_if(rows[r] + i + 1, i < k)", Project);
        yield return Bug("x's stride taken for the weights", "rows[r] = (const T*)p.w + (u64)(column + r < p.n ? column + r : p.n - 1) * p.w_stride", "rows[r] = (const T*)p.w + (u64)(column + r < p.n ? column + r : p.n - 1) * p.x_stride", Project);
        yield return Bug("padding rows are stored", "if (lane_id() >= R * M || i >= p.m ||", "if (lane_id() >= R * M ||", Project);
        yield return Bug("up is taken one row late", "(row + p.intermediate) * p.w_stride", "(row + p.intermediate + 1) * p.w_stride", GateUp);
        yield return Bug("gate and up exchanged", "gate = dot.sums[2 * c][i]; up = dot.sums[2 * c + 1][i];", "up = dot.sums[2 * c][i]; gate = dot.sums[2 * c + 1][i];", GateUp);
    }

    private static IEnumerable<Mutation> Norm()
    {
        static void Rows(KernelSource source) => NormKernelTests.Check(3, 2050, ElementType.BF16, withDelta: true, source);
        static Mutation Bug(string name, string find, string replace) => new("norm", name, find, replace, Rows);
        yield return Bug("no barrier before the warps' sums are read", "  bar_sync();\n", "");
        yield return Bug("the residual's stride for delta", "row * p.delta_stride", "row * p.residual_stride");
        yield return Bug("what lies behind the row counts", "f[j] = at + j < columns ? f[j] : 0.f", "f[j] = f[j]");
        yield return Bug("gain is read past its end", "at + 8 <= columns", "at < columns");
        yield return Bug("the residual is not stored", "      store_wide(residual + at, value[i]);\n", "");
    }

    private static IEnumerable<Mutation> Rope()
    {
        static void Heads(KernelSource source) => RopeKernelTests.Check(new RopeKernelTests.Shape(3, 2, 96, 24, Normalised: true, BlockShift: 2), ElementType.BF16, source);
        static Mutation Bug(string name, string find, string replace) => new("rope", name, find, replace, Heads);
        yield return Bug("padding slots are stored", "  if (slot < 0) return;\n", "");
        yield return Bug("keys and values exchanged", "is_value ? p.v_cache : p.k_cache", "is_value ? p.k_cache : p.v_cache");
        yield return Bug("the whole head is turned", "half = p.rotary_dim / 2", "half = p.head_dim / 2");
        yield return Bug("keys normed with the queries' gain", "index < p.heads ? p.q_gain : p.k_gain", "p.q_gain");
        yield return Bug("offset in the block from the token", "offset = slot & ((1 << p.block_shift) - 1)", "offset = token & ((1 << p.block_shift) - 1)");
        yield return Bug("no warp barrier between norm and rotation", "  warp_sync();  // the rotation pairs", "  // the rotation pairs") with { Elusive = Lockstep };
    }

    private static IEnumerable<Mutation> Small()
    {
        yield return new("embedding", "the fed-back id is off by one", "p.feed[~id]", "p.feed[-id]", source => EmbeddingKernelTests.Check(172, ElementType.BF16, source));
        yield return new("embedding", "feedback is not resolved", "  if (id < 0) id = p.feed[~id];\n", "", source => EmbeddingKernelTests.Check(172, ElementType.BF16, source));
        yield return new("embedding", "ids outside the vocabulary are read", "  if ((u32)id >= (u32)p.vocabulary) id = 0;\n", "", source => EmbeddingKernelTests.Check(172, ElementType.BF16, source));
        yield return new("silu", "up is sought at half the stride", "gate + p.intermediate;", "gate + p.x_stride / 2;", source => PointwiseKernelTests.CheckSilu(2, 1030, ElementType.BF16, source));
        yield return new("bias", "a column too many", "column < p.n)", "column <= p.n)", source => PointwiseKernelTests.CheckBias(3, 172, ElementType.BF16, source));
        yield return new("rows", "source and destination exchanged", "p.pairs[blockIdx.x * 2] *", "p.pairs[blockIdx.x * 2 + 1] *", source => RowsKernelTests.CheckCopy(4112, source));
        yield return new("rows", "rows packed without their stride", "(u64)blockIdx.x * p.out_stride", "(u64)blockIdx.x * p.bytes", source => RowsKernelTests.CheckSelect(144, source));
    }
}
