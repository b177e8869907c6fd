using InferenceServer.Cpu.Emitting;

namespace InferenceServer.Cpu.Tests;

/// <summary>The bytes that GNU as 2.40 makes of the same instructions; where x86 has two encodings of one, the other that objdump reads back the same.</summary>
public sealed class AssemblerTests
{
    [Fact]
    public void Instructions_are_encoded_as_an_assembler_does()
    {
        Check("62417C48107D00", code => code.Load(31, new Address(Gp.R13)));
        Check("62917C48105C4C01", code => code.Load(3, new Address(Gp.R12, 64, Gp.R9, 2)));
        Check("62E17C48118E64000000", code => code.Store(new Address(Gp.Rsi, 100), 17));
        Check("62513548EFC9", code => code.Zero(9));
        Check("62411540DBF8", code => code.And(31, 29, 8));
        Check("62611540DBBC1600200000", code => code.And(31, 29, new Address(Gp.Rsi, 8192, Gp.Rdx, 1)));
        Check("62030D4025FCF8", code => code.OrAnd(31, 30, 28));
        Check("62B1054071D004", code => code.ShiftRight16(31, 16, 4));
        Check("62F1054071560104", code => code.ShiftRight16(31, new Address(Gp.Rsi, 64), 4));
        Check("62F10D4071F203", code => code.ShiftLeft16(30, 2, 3));
        Check("62F10D407174510202", code => code.ShiftLeft16(30, new Address(Gp.Rcx, 128, Gp.Rdx, 2), 2));
        Check("62D1555872701207", code => code.BroadcastShiftLeft32(5, new Address(Gp.R8, 72), 7));
        Check("62627D487CE8", code => code.Broadcast32(29, Gp.Rax));
        Check("62120550505C4A7F", code => code.DotBytes(11, 31, new Address(Gp.R10, 508, Gp.R9, 2)));
        Check("62F20650524001", code => code.DotBf16(0, 31, new Address(Gp.Rax, 4)));
        Check("62815548FECE", code => code.AddInt32(17, 5, 30));
        Check("62617C485BCF", code => code.Int32ToFloat(25, 7));
        Check("62627D48135E20", code => code.HalfToFloat(27, new Address(Gp.Rsi, 1024)));
        Check("62627D48315501", code => code.WidenUnsignedBytes(26, new Address(Gp.Rbp, 16)));
        Check("62627D48215E30", code => code.WidenSignedBytes(27, new Address(Gp.Rsi, 768)));
        Check("6201344059DA", code => code.Multiply(27, 25, 26));
        Check("62412450594B10", code => code.MultiplyBroadcast(25, 27, new Address(Gp.R11, 64)));
        Check("62126548B8E1", code => code.MultiplyAdd(12, 3, 25));
        Check("62120550B82408", code => code.MultiplyAddBroadcast(12, 31, new Address(Gp.R8, 0, Gp.R9, 1)));
        Check("62C22D50BC7013", code => code.MultiplySubtractBroadcast(22, 26, new Address(Gp.R8, 76)));
        Check("C5F877", code => code.ZeroUpper());
        Check("53", code => code.Push(Gp.Rbx));
        Check("4154", code => code.Push(Gp.R12));
        Check("415D", code => code.Pop(Gp.R13));
        Check("488B5F30", code => code.Move(Gp.Rbx, new Address(Gp.Rdi, 48)));
        Check("488BEE", code => code.Move(Gp.Rbp, Gp.Rsi));
        Check("B80F0F0F0F", code => code.Move(Gp.Rax, 0x0F0F0F0F));
        Check("41BD04000000", code => code.Move(Gp.R13, 4u));
        Check("4F8D1448", code => code.LoadAddress(Gp.R10, new Address(Gp.R8, 0, Gp.R9, 2)));
        Check("4803CA", code => code.Add(Gp.Rcx, Gp.Rdx));
        Check("4981C350000000", code => code.Add(Gp.R11, 80));
        Check("49FFCD", code => code.Decrement(Gp.R13));
        Check("420F184C8E40", code => code.Prefetch(new Address(Gp.Rsi, 64, Gp.R9, 4), 1));
        Check("410F189600020000", code => code.Prefetch(new Address(Gp.R14, 512), 2));
        Check("C3", code => code.Return());
    }

    [Fact]
    public void A_jump_back_counts_from_its_own_end()
    {
        Assembler code = new();
        code.Return();
        code.JumpIfNotZero(0);
        Assert.Equal("C30F85F9FFFFFF", Convert.ToHexString(code.ToArray()));
    }

    [Fact]
    public void A_kernel_that_does_not_fit_the_registers_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Q8Emitter().Emit(2, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Q8Emitter().Emit(3, 1));
    }

    private static void Check(string expected, Action<Assembler> write)
    {
        Assembler code = new();
        write(code);
        Assert.Equal(expected, Convert.ToHexString(code.ToArray()));
    }
}
