namespace InferenceServer.Cuda.Tests.Ptx;

/// <summary>One instruction at a time against values computed by hand; the operands are lane-dependent or literal.</summary>
public sealed class ArithmeticTests : IDisposable
{
    private readonly PtxBench _bench = new();

    [Theory]
    [InlineData("add.s32 %r0, %r1, %r2;", 7u, 5u, 12u)]
    [InlineData("add.s32 %r0, %r1, %r2;", 0xffffffffu, 2u, 1u)]
    [InlineData("sub.s32 %r0, %r1, %r2;", 3u, 5u, 0xfffffffeu)]
    [InlineData("mul.lo.s32 %r0, %r1, %r2;", 0x10001u, 0x10001u, 0x20001u)]
    [InlineData("mul.hi.u32 %r0, %r1, %r2;", 0x80000000u, 6u, 3u)]
    [InlineData("mul.hi.s32 %r0, %r1, %r2;", 0x80000000u, 6u, 0xfffffffdu)]
    [InlineData("mad.lo.s32 %r0, %r1, %r2, 9;", 3u, 4u, 21u)]
    [InlineData("div.s32 %r0, %r1, %r2;", 0xfffffff9u, 2u, 0xfffffffdu)]
    [InlineData("div.u32 %r0, %r1, %r2;", 0xfffffff9u, 2u, 0x7ffffffcu)]
    [InlineData("div.u32 %r0, %r1, %r2;", 5u, 0u, 0xffffffffu)]
    [InlineData("div.s32 %r0, %r1, %r2;", 0x80000000u, 0xffffffffu, 0x80000000u)]
    [InlineData("rem.s32 %r0, %r1, %r2;", 0xfffffff9u, 2u, 0xffffffffu)]
    [InlineData("rem.u32 %r0, %r1, %r2;", 17u, 5u, 2u)]
    [InlineData("min.s32 %r0, %r1, %r2;", 0xffffffffu, 1u, 0xffffffffu)]
    [InlineData("min.u32 %r0, %r1, %r2;", 0xffffffffu, 1u, 1u)]
    [InlineData("max.s32 %r0, %r1, %r2;", 0xffffffffu, 1u, 1u)]
    [InlineData("neg.s32 %r0, %r1;", 5u, 0u, 0xfffffffbu)]
    [InlineData("abs.s32 %r0, %r1;", 0xfffffffbu, 0u, 5u)]
    [InlineData("and.b32 %r0, %r1, %r2;", 0xff0fu, 0x0ff0u, 0x0f00u)]
    [InlineData("or.b32 %r0, %r1, %r2;", 0xff00u, 0x0ff0u, 0xfff0u)]
    [InlineData("xor.b32 %r0, %r1, %r2;", 0xff00u, 0x0ff0u, 0xf0f0u)]
    [InlineData("not.b32 %r0, %r1;", 0xff00u, 0u, 0xffff00ffu)]
    [InlineData("shl.b32 %r0, %r1, %r2;", 3u, 4u, 48u)]
    [InlineData("shl.b32 %r0, %r1, %r2;", 3u, 32u, 0u)]
    [InlineData("shr.u32 %r0, %r1, %r2;", 0x80000000u, 31u, 1u)]
    [InlineData("shr.s32 %r0, %r1, %r2;", 0x80000000u, 31u, 0xffffffffu)]
    [InlineData("shr.s32 %r0, %r1, %r2;", 0x80000000u, 99u, 0xffffffffu)]
    [InlineData("bfe.u32 %r0, %r1, %r2, 8;", 0x12345678u, 4u, 0x67u)]
    [InlineData("bfe.s32 %r0, %r1, %r2, 8;", 0x00000f80u, 4u, 0xfffffff8u)]
    [InlineData("bfi.b32 %r0, %r1, %r2, 8, 4;", 0xfau, 0x1111u, 0x1a11u)]
    [InlineData("prmt.b32 %r0, %r1, %r2, 0x7610;", 0x33221100u, 0x77665544u, 0x77661100u)]
    [InlineData("prmt.b32 %r0, %r1, %r2, 0x8080;", 0x332211f0u, 0u, 0xfff0fff0u)]
    [InlineData("popc.b32 %r0, %r1;", 0xf0f0u, 0u, 8u)]
    [InlineData("clz.b32 %r0, %r1;", 0x00010000u, 0u, 15u)]
    [InlineData("brev.b32 %r0, %r1;", 0x00000013u, 0u, 0xc8000000u)]
    [InlineData("shf.l.wrap.b32 %r0, %r1, %r2, 8;", 0xaabbccddu, 0x11223344u, 0x223344aau)]
    [InlineData("shf.r.wrap.b32 %r0, %r1, %r2, 8;", 0xaabbccddu, 0x11223344u, 0x44aabbccu)]
    [InlineData("lop3.b32 %r0, %r1, %r2, 0xff, 0x96;", 0xf0u, 0xccu, 0xc3u)]
    public void Integer_instructions_give_what_a_hand_computes(string instruction, uint a, uint b, uint expected)
    {
        uint[] lanes = _bench.RunU32($"mov.b32 %r1, {a}; mov.b32 %r2, {b}; {instruction} st.global.b32 [%q15], %r0;");
        Assert.All(lanes, lane => Assert.Equal(expected, lane));
    }

    [Theory]
    [InlineData("add.f32 %f0, %f1, %f2;", 1.5f, 2.25f, 3.75f)]
    [InlineData("sub.rn.f32 %f0, %f1, %f2;", 1.5f, 2.25f, -0.75f)]
    [InlineData("mul.f32 %f0, %f1, %f2;", 1.5f, -2f, -3f)]
    [InlineData("fma.rn.f32 %f0, %f1, %f2, 0f3F800000;", 1.5f, 2f, 4f)]
    [InlineData("fma.rn.f32 %f0, %f1, %f1, 0fBF800001;", 1.00000012f, 0f, 1.1920930e-7f)]
    [InlineData("div.rn.f32 %f0, %f1, %f2;", 1f, 3f, 0.33333334f)]
    [InlineData("min.f32 %f0, %f1, %f2;", float.NaN, 3f, 3f)]
    [InlineData("max.NaN.f32 %f0, %f1, %f2;", float.NaN, 3f, float.NaN)]
    [InlineData("max.f32 %f0, %f1, %f2;", -1f, -2f, -1f)]
    [InlineData("neg.f32 %f0, %f1;", 2f, 0f, -2f)]
    [InlineData("abs.f32 %f0, %f1;", -2f, 0f, 2f)]
    [InlineData("rcp.approx.ftz.f32 %f0, %f1;", 4f, 0f, 0.25f)]
    [InlineData("rsqrt.approx.f32 %f0, %f1;", 4f, 0f, 0.5f)]
    [InlineData("sqrt.rn.f32 %f0, %f1;", 9f, 0f, 3f)]
    [InlineData("ex2.approx.ftz.f32 %f0, %f1;", 5f, 0f, 32f)]
    [InlineData("ex2.approx.ftz.f32 %f0, %f1;", -200f, 0f, 0f)]
    [InlineData("lg2.approx.f32 %f0, %f1;", 0.125f, 0f, -3f)]
    [InlineData("add.ftz.f32 %f0, %f1, %f2;", 1e-40f, 0f, 0f)]
    [InlineData("add.sat.f32 %f0, %f1, %f2;", 3f, 2f, 1f)]
    [InlineData("copysign.f32 %f0, %f1, %f2;", -1f, 5f, -5f)]
    public void Float_instructions_give_what_a_hand_computes(string instruction, float a, float b, float expected)
    {
        (uint bitsA, uint bitsB) = (BitConverter.SingleToUInt32Bits(a), BitConverter.SingleToUInt32Bits(b));
        uint[] lanes = _bench.RunU32($"mov.f32 %f1, 0f{bitsA:X8}; mov.f32 %f2, 0f{bitsB:X8}; {instruction} st.global.f32 [%q15], %f0;");
        Assert.All(lanes, lane => Assert.Equal(expected, BitConverter.UInt32BitsToSingle(lane)));
    }

    [Fact]
    public void Instructions_under_a_guard_touch_only_their_lanes()
    {
        uint[] lanes = _bench.RunU32("mov.b32 %r0, 1; setp.lt.u32 %p1, %r31, 5; @%p1 add.s32 %r0, %r0, %r31; @!%p1 mov.b32 %r0, 77; st.global.b32 [%q15], %r0;");
        Assert.Equal(Enumerable.Range(0, 32).Select(l => l < 5 ? 1u + (uint)l : 77u), lanes);
    }

    [Fact]
    public void Diverged_lanes_take_their_own_paths_and_meet_again()
    {
        uint[] lanes = _bench.RunU32("""
            mov.b32 %r0, 0; mov.b32 %r1, %r31;
            LOOP: setp.eq.u32 %p1, %r1, 0; @%p1 bra DONE;
            add.s32 %r0, %r0, %r1; sub.s32 %r1, %r1, 1; bra.uni LOOP;
            DONE: shfl.sync.bfly.b32 %r2, %r0, 1, 0x1f, 0xffffffff;
            st.global.b32 [%q15], %r2;
            """);
        Assert.Equal(Enumerable.Range(0, 32).Select(l => (uint)((l ^ 1) * ((l ^ 1) + 1) / 2)), lanes);
    }

    public void Dispose() => _bench.Dispose();
}
