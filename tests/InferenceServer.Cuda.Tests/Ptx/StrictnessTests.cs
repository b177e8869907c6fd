using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.Tests.Ptx;

/// <summary>What an assembler would refuse is refused when the module is parsed, with the line.</summary>
public sealed class StrictnessTests
{
    [Theory]
    [InlineData("mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, {%f0,%f1,%f2,%f3};")]
    [InlineData("ld.global.nc.L1::noallocate.v4.u32 {%r0,%r1,%r2,%r3}, [%q14];")]
    [InlineData("ld.nc.global.u32 %r0, [%q14];")]
    [InlineData("ldmatrix.sync.aligned.m8n8.x4.shared.trans.b16 {%r0,%r1,%r2,%r3}, [%r4];")]
    [InlineData("cp.async.cg.global.shared [%r1], [%q14], 16;")]
    [InlineData("cvt.rn.bf162.f32 %r0, %f1, %f2;")]
    [InlineData("shfl.bfly.b32 %r0, %r1, 1, 0x1f;")]
    [InlineData("add.rn.s32 %r0, %r1, %r2;")]
    [InlineData("fma.f32 %f0, %f1, %f2, %f3;")]
    [InlineData("div.f32 %f0, %f1, %f2;")]
    [InlineData("rsqrt.f32 %f0, %f1;")]
    [InlineData("ld.global.v4.u64 {%q0,%q1,%q2,%q3}, [%q14];")]
    [InlineData("bar.sync.0;")]
    public void Unknown_spellings_are_no_instructions(string instruction) => Refused(instruction, "no such instruction");

    [Theory]
    [InlineData("add.s32 %r0, %f1, %r2;", "%f1 is a .f32 register where .s32 is wanted")]
    [InlineData("add.f32 %f0, %r1, %f2;", "%r1 is a .b32 register", false)]
    [InlineData("add.s64 %q0, %r1, %q2;", "%r1 is a .b32 register where .s64 is wanted")]
    [InlineData("mov.b32 %r0, %q1;", "where .b32 is wanted")]
    [InlineData("ld.global.u64 %r0, [%q14];", "where .u64 is wanted")]
    [InlineData("ld.global.u32 %f0, [%q14];", "%f0 is a .f32 register where .u32 is wanted")]
    [InlineData("ld.global.u32 %r0, [%r1];", "cannot be an address")]
    [InlineData("add.s32 %r0, %r1;", "',' expected")]
    [InlineData("add.s32 %r0, %r1, %r2, %r3;", "';' expected")]
    [InlineData("add.f32 %f0, %f1, 1;", "the literal is no .f32")]
    [InlineData("add.s32 %r0, %r1, %undeclared;", "unknown name %undeclared")]
    [InlineData("add.s32 5, %r1, %r2;", "a register expected")]
    [InlineData("@%r1 mov.u32 %r0, 1;", "%r1 is no predicate")]
    [InlineData("bra NOWHERE;", "no label NOWHERE")]
    [InlineData("mov.b32 {%h0,%h1,%h2}, %r1;", "takes no vector of 3")]
    [InlineData(".reg .b32 %r<4>;", "a second register %r0")]
    public void Operands_must_be_what_the_instruction_wants(string instruction, string sentence, bool refused = true)
    {
        if (refused) Refused(instruction, sentence);
        else PtxModule.Parse(PtxBench.Kernel(instruction), "m");
    }

    [Fact]
    public void Unknown_directives_are_refused() =>
        Assert.Contains("m, PTX line 4: unsupported directive .wat", Assert.Throws<PtxException>(() => PtxModule.Parse(".version 7.0\n.target sm_80\n.address_size 64\n.wat x;", "m")).Message);

    private static void Refused(string instruction, string sentence)
    {
        PtxException refusal = Assert.Throws<PtxException>(() => PtxModule.Parse(PtxBench.Kernel("\n\n" + instruction), "m"));
        Assert.Contains(sentence, refusal.Message);
        Assert.Contains("PTX line 14", refusal.Message);
    }
}
