namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// For machines with AVX2, FMA and F16C: sixteen rows are two of sixteen registers. What does not fit them lies on the stack, in the first-level cache:
/// results of three tokens and more, and constants.
/// </summary>
internal abstract class DotEmitter256 : DotEmitter
{
    protected const int Register = 32; // bytes
    protected const int Temporary256 = 15;

    private const int FrameBytes = (Frame256.Results + Frame256.Constants + 1) * Register; // one more to align it
    private const Gp Frame = Gp.R15; // free, since no kernel takes four groups

    /// <summary>Sums of two halves of 16 rows by six tokens, weights, an input and what it makes: sixteen registers.</summary>
    public override int MaxTokens => 6;

    protected override bool Fits => Groups <= 2 && Groups * Tokens <= MaxTokens;

    protected static Address Constant(int index) => new(Frame, (Frame256.Results + index) * Register);

    /// <summary>Where a result lies that no register is left for.</summary>
    protected static Address Kept(int index) => new(Frame, index * Register);

    protected void Fill(int constant, uint value)
    {
        Code.Move(Gp.Rax, value);
        Code.Broadcast256(Temporary256, Gp.Rax);
        Code.Store256(Constant(constant), Temporary256);
    }

    protected override void BeginFrame()
    {
        Code.Add(Gp.Rsp, -FrameBytes);
        Code.LoadAddress(Frame, new Address(Gp.Rsp, Register - 1));
        Code.AlignDown(Frame, Register);
    }

    protected override void EndFrame() => Code.Add(Gp.Rsp, FrameBytes);

    /// <summary>Registers that the frame has room for.</summary>
    private static class Frame256
    {
        public const int Results = 12;
        public const int Constants = 3;
    }
}
