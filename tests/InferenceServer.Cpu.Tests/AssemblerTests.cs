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
    public void Instructions_of_256_bits_are_encoded_as_an_assembler_does()
    {
        Check("C57C10641620", code => code.Load256(12, new Address(Gp.Rsi, 32, Gp.Rdx, 1)));
        Check("C4417C118F80010000", code => code.Store256(new Address(Gp.R15, 384), 9));
        Check("C5E5EFDB", code => code.Zero256(3));
        Check("C505DBEC", code => code.And256(13, 15, 4));
        Check("C4411DDBA7A0010000", code => code.And256(12, 12, new Address(Gp.R15, 416)));
        Check("C4413DEBC6", code => code.Or256(8, 8, 14));
        Check("C505EF4E40", code => code.Xor256(9, 15, new Address(Gp.Rsi, 64)));
        Check("C4C11D71D404", code => code.ShiftRight16By256(12, 12, 4));
        Check("C58D71F203", code => code.ShiftLeft16By256(14, 2, 3));
        Check("C4C10572F707", code => code.ShiftLeft32By256(15, 15, 7));
        Check("C4027D58B44AFC010000", code => code.Broadcast256(14, new Address(Gp.R10, 508, Gp.R9, 2)));
        Check("C5796EF8C4427D58FF", code => code.Broadcast256(15, Gp.Rax));
        Check("C4421D04FE", code => code.MultiplyBytes256(15, 12, 14));
        Check("C4C175F58F80010000", code => code.MultiplyPairs256(1, 1, new Address(Gp.R15, 384)));
        Check("C44115F5EE", code => code.MultiplyPairs256(13, 13, 14));
        Check("C4421D08E8", code => code.Sign256(13, 12, 8));
        Check("C4427D1CD0", code => code.Absolute256(10, 8));
        Check("C44125FDDF", code => code.AddInt16By256(11, 11, 15));
        Check("C4C16DFED5", code => code.AddInt32By256(2, 2, 13));
        Check("C5FC5BFF", code => code.Int32ToFloat256(7, 7));
        Check("C4627D13A600040000", code => code.HalfToFloat256(12, new Address(Gp.Rsi, 1024)));
        Check("C4627D31AE20020000", code => code.WidenUnsignedBytes256(13, new Address(Gp.Rsi, 544)));
        Check("C4627D216510", code => code.WidenSignedBytes256(12, new Address(Gp.Rbp, 16)));
        Check("C4411C59FE", code => code.Multiply256(15, 12, 14));
        Check("C4C26DB8E7", code => code.MultiplyAdd256(4, 2, 15));
        Check("C4C205A8AFA0000000", code => code.MultiplyAndAdd256(5, 15, new Address(Gp.R15, 160)));
        Check("C4C215BCEE", code => code.MultiplySubtract256(5, 13, 14));
        Check("C4421D50DE", code => code.DotBytes256(11, 12, 14, avx512: false));
        Check("62521D2850DE", code => code.DotBytes256(11, 12, 14, avx512: true));
        Check("4981E7E0FFFFFF", code => code.AlignDown(Gp.R15, 32));
    }

    [Fact]
    public void Tile_instructions_are_encoded_as_an_assembler_does()
    {
        Check("C4E2784907", code => code.ConfigureTiles(new Address(Gp.Rdi)));
        Check("C4C278494540", code => code.ConfigureTiles(new Address(Gp.R13, 64)));
        Check("C4E27849C0", code => code.ReleaseTiles());
        Check("C4E27B49E8", code => code.ZeroTile(5));
        Check("C4E27B4B1C06", code => code.LoadTile(3, new Address(Gp.Rsi, 0, Gp.Rax, 1)));
        Check("C4827B4BB40C00020000", code => code.LoadTile(6, new Address(Gp.R12, 512, Gp.R9, 1)));
        Check("C4E27B4B540520", code => code.LoadTile(2, new Address(Gp.Rbp, 32, Gp.Rax, 1)));
        Check("C4E27A4B8C0400040000", code => code.StoreTile(new Address(Gp.Rsp, 1024, Gp.Rax, 1), 1));
        Check("C4827A4B3C10", code => code.StoreTile(new Address(Gp.R8, 0, Gp.R10, 1), 7));
        Check("C4E25B5EC2", code => code.DotByteTiles(0, 2, 4));
        Check("C4E24B5EFD", code => code.DotByteTiles(7, 5, 6));
        Check("C4E2425CCC", code => code.DotBf16Tiles(1, 4, 7));
        Check("62E17C485B442410", code => code.Int32ToFloat(16, new Address(Gp.Rsp, 1024)));
        Check("62C10450599804040000", code => code.MultiplyBroadcast(19, 31, new Address(Gp.R8, 1028)));
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
