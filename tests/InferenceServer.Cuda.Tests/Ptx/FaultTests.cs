using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.Tests.Ptx;

/// <summary>Every check has a kernel that makes the mistake, and the sentence it gets; beside it the kernel that does not.</summary>
public sealed class FaultTests : IDisposable
{
    private const string Shared = ".shared .align 16 .b8 s[1024];";
    private const string Mine = "mul.lo.u32 %r1, %r31, 4; mov.u32 %r2, s; add.s32 %r1, %r1, %r2;";
    private readonly PtxBench _bench = new();

    [Fact]
    public void A_missing_barrier_between_write_and_read_is_a_race()
    {
        string body = Mine + "st.shared.u32 [%r1], 0; bar.sync 0; st.shared.u32 [%r1], %r31; BARRIER xor.b32 %r3, %r31, 32; mul.lo.u32 %r3, %r3, 4; add.s32 %r3, %r3, %r2; ld.shared.u32 %r0, [%r3]; st.global.u32 [%q15], %r0;";
        string racing = body.Replace("BARRIER", ""), found = "";
        for (int seed = 0; seed < 4; seed++) found += _bench.Fault(racing, 64, seed: seed, declarations: Shared);
        Assert.Contains("with no barrier between", found);
        Assert.Equal(Enumerable.Range(0, 64).Select(t => (uint)t ^ 32), _bench.RunU32(body.Replace("BARRIER", "bar.sync 0;"), 64, declarations: Shared));
    }

    [Fact]
    public void A_missing_barrier_before_a_buffer_is_reused_is_a_race()
    {
        string body = Mine + "st.shared.u32 [%r1], 1; bar.sync 0; ld.shared.u32 %r0, [s]; BARRIER st.shared.u32 [%r1], 2;";
        Assert.Contains("race: shared word", _bench.Fault(body.Replace("BARRIER", ""), 64, declarations: Shared));
        Assert.Equal("no fault", _bench.Fault(body.Replace("BARRIER", "bar.sync 0;"), 64, declarations: Shared));
    }

    [Fact]
    public void Two_warps_that_write_different_values_race_and_equal_values_do_not()
    {
        Assert.Contains("is written after warp", _bench.Fault("st.shared.u32 [s], %r31;", 64, declarations: Shared).Replace("lane 0 of the same warp", "warp"));
        Assert.Equal("no fault", _bench.Fault("st.shared.u32 [s], 7;", 64, declarations: Shared));
    }

    [Fact]
    public void Lanes_of_a_warp_need_a_warp_barrier()
    {
        string body = Mine + "st.shared.u32 [%r1], %r31; BARRIER xor.b32 %r3, %r31, 1; mul.lo.u32 %r3, %r3, 4; add.s32 %r3, %r3, %r2; ld.shared.u32 %r0, [%r3]; st.global.u32 [%q15], %r0;";
        Assert.Contains("of the same warp wrote it", _bench.Fault(body.Replace("BARRIER", ""), declarations: Shared));
        Assert.Equal("no fault", _bench.Fault(body.Replace("BARRIER", "bar.warp.sync 0xffffffff;"), declarations: Shared));
    }

    [Fact]
    public void Named_barriers_order_the_warps_that_meet_there()
    {
        string body = Mine + """
            setp.lt.u32 %p1, %r31, 32; @!%p1 bra CONSUMER;
            st.shared.u32 [%r1], %r31; PRODUCED bra END;
            CONSUMER: CONSUMED ld.shared.u32 %r0, [%r1+-128]; st.global.u32 [%q15], %r0;
            END:
            """;
        Assert.Equal("no fault", _bench.Fault(body.Replace("PRODUCED", "bar.arrive 3, 64;").Replace("CONSUMED", "bar.sync 3, 64;"), 64, declarations: Shared));
        string found = "";
        for (int seed = 0; seed < 8; seed++) found += _bench.Fault(body.Replace("PRODUCED", "").Replace("CONSUMED", ""), 64, seed: seed, declarations: Shared);
        Assert.Contains("uninitialised", found);
        Assert.Contains("with no barrier between", found);
        Assert.Contains("never completes", _bench.Fault(body.Replace("PRODUCED", "").Replace("CONSUMED", "bar.sync 3, 64;"), 64, declarations: Shared));
    }

    [Fact]
    public void Uninitialised_shared_memory_is_not_read()
    {
        Assert.Contains("read of uninitialised shared memory", _bench.Fault("ld.shared.u32 %r0, [s+64];", declarations: Shared));
        Assert.Contains("read of uninitialised shared memory", _bench.Fault("st.shared.u8 [s+64], 1; bar.sync 0; ld.shared.u32 %r0, [s+64];", declarations: Shared));
    }

    [Fact]
    public void Asynchronous_copies_must_be_waited_for()
    {
        string copy = Mine + "ld.param.u64 %q1, [in]; mul.wide.u32 %q2, %r31, 4; add.s64 %q1, %q1, %q2; cp.async.ca.shared.global [%r1], [%q1], 4; cp.async.commit_group;";
        string read = "ld.shared.u32 %r0, [%r1]; st.global.u32 [%q15], %r0;";
        uint[] input = [.. Enumerable.Range(0, 32).Select(i => (uint)i * 3)];
        Assert.Contains("whose cp.async was not waited for", _bench.Fault(copy + read, input: input, declarations: Shared));
        Assert.Contains("whose cp.async was not waited for", _bench.Fault(copy + "cp.async.wait_group 1;" + read, input: input, declarations: Shared));
        Assert.Contains("write over an outstanding cp.async", _bench.Fault(copy + "st.shared.u32 [%r1], 0;", input: input, declarations: Shared));
        Assert.Equal(input, _bench.RunU32(copy + "cp.async.wait_group 0;" + read, input: input, declarations: Shared));
        Assert.Contains("copies have 4, 8 or 16 bytes", _bench.Fault(copy.Replace("], 4;", "], 12;"), input: input, declarations: Shared));
    }

    [Fact]
    public void Asynchronous_copies_arrive_as_late_as_they_may_and_fill_with_zeros()
    {
        string body = Mine + """
            ld.param.u64 %q1, [in]; mul.wide.u32 %q2, %r31, 8; add.s64 %q1, %q1, %q2; add.s32 %r1, %r1, %r31; shl.b32 %r3, %r31, 3; add.s32 %r3, %r3, %r2;
            cp.async.ca.shared.global [%r3], [%q1], 8, 4; cp.async.commit_group; st.global.u32 [%q1], 99;
            cp.async.wait_all; ld.shared.v2.u32 {%r4, %r5}, [%r3]; add.s32 %r0, %r4, %r5; st.global.u32 [%q15], %r0;
            """;
        Assert.All(_bench.RunU32(body, input: new uint[64], declarations: Shared), lane => Assert.Equal(99u, lane));
    }

    [Theory]
    [InlineData("ld.global.u32 %r0, [%q14+256];", "not within any allocation")]
    [InlineData("ld.global.u32 %r0, [%q14+-4];", "not within any allocation")]
    [InlineData("ld.global.u32 %r0, [%q14+2];", "misaligned read of 4 bytes")]
    [InlineData("st.global.v4.u32 [%q14+8], {%r31, %r31, %r31, %r31};", "misaligned write of 16 bytes")]
    [InlineData("mov.u64 %q1, 0; ld.u32 %r0, [%q1];", "not within any allocation")]
    [InlineData("st.shared.u32 [s+1024], 1;", "outside every shared variable")]
    [InlineData("mov.u32 %r0, 0; st.shared.u32 [%r0], 1;", "outside every shared variable")]
    [InlineData("st.shared.u32 [s+2], 1;", "misaligned access of 4 bytes")]
    [InlineData("ld.param.u32 %r0, [in+8];", "the kernel has 16")]
    public void Accesses_stay_inside_what_they_address(string body, string sentence) => Assert.Contains(sentence, _bench.Fault(body, declarations: Shared));

    [Theory]
    [InlineData("setp.lt.u32 %p1, %r31, 8; @%p1 bra SKIP; bar.sync 0; SKIP: bar.sync 0;", "warp diverged")]
    [InlineData("setp.lt.u32 %p1, %r31, 8; @%p1 bar.sync 0;", "all must take part")]
    [InlineData("setp.lt.u32 %p1, %r31, 32; @%p1 bra SKIP; bar.sync 1; bra END; SKIP: bar.sync 2; END:", "never completes: warps")]
    [InlineData("setp.lt.u32 %p1, %r31, 8; @%p1 bra SKIP; shfl.sync.bfly.b32 %r0, %r31, 1, 0x1f, 0xffffffff; bra END; SKIP: shfl.sync.bfly.b32 %r0, %r31, 2, 0x1f, 0xffffffff; END:", "warp diverged")]
    [InlineData("setp.lt.u32 %p1, %r31, 8; @%p1 shfl.sync.bfly.b32 %r0, %r31, 1, 0x1f, 0xffffffff;", "do not take part")]
    [InlineData("shfl.sync.bfly.b32 %r0, %r31, 1, 0x1f, 0xffff;", "that the member mask 0000ffff does not name")]
    [InlineData("LOOP: bra LOOP;", "no end in sight")]
    [InlineData("trap;", "the kernel trapped")]
    public void Warps_that_cannot_go_on_say_why(string body, string sentence)
    {
        using PtxBench bench = new() { Options = new() { Threads = 1, InstructionBudget = 100_000 } };
        Assert.Contains(sentence, bench.Fault(body, 64));
    }

    [Theory]
    [InlineData("st.global.u32 [%q15], %r5;", "%r5 is used but was never written")]
    [InlineData("add.s32 %r6, %r5, 1; st.global.u32 [%q15], %r6;", "%r6 is used but was never written, or computed from what was not")]
    [InlineData("@%p3 mov.u32 %r6, 1;", "%p3 is used")]
    [InlineData("cvt.u64.u32 %q1, %r5; ld.global.u32 %r6, [%q1];", "%q1 is used")]
    [InlineData("setp.lt.u32 %p1, %r31, 9; @%p1 bra SKIP; mov.u32 %r5, 1; SKIP: st.global.u32 [%q15], %r5;", "lane 0, PTX line")]
    [InlineData("setp.lt.u32 %p1, %r31, 9; @%p1 mov.u32 %r5, 1; selp.b32 %r6, %r5, 3, %p1; st.global.u32 [%q15], %r6;", "no fault")]
    [InlineData("setp.lt.u32 %p1, %r31, 16; @%p1 mov.u32 %r5, 1; shfl.sync.idx.b32 %r6, %r5, 3, 0x1f, 0xffffffff; st.global.u32 [%q15], %r6;", "no fault")]
    [InlineData("setp.lt.u32 %p1, %r31, 16; @%p1 mov.u32 %r5, 1; shfl.sync.idx.b32 %r6, %r5, 20, 0x1f, 0xffffffff; st.global.u32 [%q15], %r6;", "%r6 is used")]
    public void Registers_hold_nothing_before_they_are_written(string body, string sentence) => Assert.Contains(sentence, _bench.Fault(body));

    [Fact]
    public void A_fault_names_kernel_block_lane_line_and_instruction()
    {
        PtxFault fault = Assert.Throws<PtxFault>(() => _bench.Run("setp.eq.u32 %p1, %r31, 5;\n@%p1 ld.global.u32 %r0, [%q14+1024];"));
        Assert.StartsWith("k: block (0,0,0) warp 0 lane 5, PTX line 13: read of 4 bytes", fault.Message);
        Assert.EndsWith("in `@%p1 ld.global.u32 %r0, [%q14+1024]`", fault.Message);
    }

    [Fact]
    public void A_launch_must_fit_the_kernel()
    {
        Assert.Contains("8 bytes of parameters, the kernel has 16", Assert.Throws<PtxFault>(() => _bench.Launch(PtxBench.Kernel(""), 32, 1, 0, 0, 1)).Message);
        Assert.Contains("a block may have 232448", Assert.Throws<PtxFault>(() => _bench.Launch(PtxBench.Kernel(""), 32, 1, 232_449, 0, 1, 2)).Message);
        Assert.Contains("built for at most 1024", Assert.Throws<PtxFault>(() => _bench.Launch(PtxBench.Kernel(""), 1056, 1, 0, 0, 1, 2)).Message);
    }

    public void Dispose() => _bench.Dispose();
}
