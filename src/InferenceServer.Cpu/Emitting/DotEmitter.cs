namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// Emits one kernel: Groups groups of 16 weight rows times Tokens tokens over all columns, every sum in a register. Subclasses say what a unit
/// of columns does. Any (groups, tokens) sums an output element in the same order, so tiles of any size give the same bits.
/// </summary>
internal abstract class DotEmitter
{
    /// <summary>Registers: 12 running integer sums, 12 results, and what a format needs beside them.</summary>
    private const int MaxTiles = 12;

    protected const int Weights = 31;
    protected const int Shifted = 30;
    protected const int NibbleMask = 29;
    protected const int HighMask = 28;
    protected const int Scale = 27;
    protected const int Minimum = 26;
    protected const int Temporary = 25;

    private const Gp Call = Gp.Rdi;
    private const Gp WeightBase = Gp.Rsi;
    private const Gp GroupStride = Gp.Rdx;
    private const Gp WeightBase3 = Gp.Rcx;
    private const Gp InputBase = Gp.R8;
    private const Gp InputStride = Gp.R9;
    private const Gp Units = Gp.Rbx;
    private const Gp Header = Gp.Rbp;
    private const Gp Header3 = Gp.R12;
    private const Gp Inner = Gp.R13;
    private const Gp NextBase = Gp.R14;
    private const Gp NextBase3 = Gp.R15;
    private static readonly Gp[] InputBases = [InputBase, Gp.R10, Gp.R11, Gp.Rax];
    private static readonly Gp[] Saved = [Gp.Rbx, Gp.Rbp, Gp.R12, Gp.R13, Gp.R14, Gp.R15];

    /// <summary>Tokens of a kernel for many.</summary>
    public virtual int MaxTokens => MaxTiles;

    protected virtual bool Fits => Groups * Tokens <= MaxTiles;

    /// <summary>Reads weights about as fast as memory gives them.</summary>
    protected bool IsStream => Groups * Tokens <= 2;

    protected Assembler Code { get; } = new();

    protected int Groups { get; private set; }

    protected int Tokens { get; private set; }

    /// <summary>Bytes of weights of one group that one turn of the loop takes.</summary>
    protected abstract int WeightUnit { get; }

    /// <summary>Bytes of prepared input of one token that one turn of the loop takes.</summary>
    protected abstract int InputUnit { get; }

    /// <summary>
    /// How far ahead of a stream its lines are asked for on Intel's processors, and into the cache of which level. Their own prefetching stops at every
    /// page.
    /// </summary>
    public static IReadOnlyList<(int Bytes, int Level)> IntelAhead { get; } = [(2048, 1), (8192, 2)];

    /// <summary>
    /// The same on all others, measured on Zen 4. None where the processor's own prefetching reads as fast without: being asked for what it would fetch
    /// anyway slows it down.
    /// </summary>
    protected virtual IReadOnlyList<(int Bytes, int Level)> StreamAhead => [];

    /// <summary>The same, measured on Zen 5.</summary>
    protected virtual IReadOnlyList<(int Bytes, int Level)> Zen5Ahead => StreamAhead;

    private IReadOnlyList<(int Bytes, int Level)> Ahead => MachineFeatures.IsIntel ? IntelAhead : MachineFeatures.IsZen5 ? Zen5Ahead : StreamAhead;

    /// <summary>Turns that share a header in front of their weights; 0: no headers.</summary>
    protected virtual int TurnsPerHeader => 0;

    protected virtual int HeaderBytes => 0;

    /// <summary>Groups that a kernel for so many tokens takes at once: enough independent sums for the latency of a product, but one stream for few tokens.</summary>
    public virtual int GroupsTogether(int tokens) => tokens is > 2 and <= MaxTiles / 2 ? 2 : 1;

    /// <summary>Code of System V's calling convention: (DotCall*) -> void.</summary>
    public byte[] Emit(int groups, int tokens)
    {
        (Groups, Tokens) = (groups, tokens);
        if (groups is not (1 or 2 or 4) || tokens < 1 || !Fits)
            throw new ArgumentOutOfRangeException(nameof(groups), $"A kernel of {groups} x {tokens} tiles does not fit the registers.");
        Begin();
        EmitLoop();
        StoreResults();
        EndFrame();
        foreach (Gp register in Saved.Reverse()) Code.Pop(register);
        Code.ZeroUpper();
        Code.Return();
        return Code.ToArray();
    }

    /// <summary>Room on the stack, if a kernel needs any.</summary>
    protected virtual void BeginFrame()
    {
    }

    protected virtual void EndFrame()
    {
    }

    protected virtual void ZeroResults()
    {
        for (int i = 0; i < Groups * Tokens; i++) Code.Zero(Result(0, i));
    }

    /// <summary>Sixteen floats.</summary>
    protected virtual void StoreResult(Address target, int group, int token) => Code.Store(target, Result(group, token));

    /// <summary>Constants that the format keeps in registers.</summary>
    protected virtual void EmitConstants()
    {
    }

    /// <summary>One unit of columns into <see cref="Result"/>.</summary>
    protected abstract void EmitUnit();

    protected int Sum(int group, int token) => group * Tokens + token;

    protected int Result(int group, int token) => Groups * Tokens + Sum(group, token);

    protected static Address WeightsOf(int group) => OfGroup(WeightBase, WeightBase3, group);

    protected static Address HeaderOf(int group) => OfGroup(Header, Header3, group);

    protected static Address InputOf(int token) => new(InputBases[token / 3], 0, InputStride, token % 3);

    protected void FillBytes(int register, byte value)
    {
        Code.Move(Gp.Rax, value * 0x01010101u);
        Code.Broadcast32(register, Gp.Rax);
    }

    private static Address OfGroup(Gp first, Gp fourth, int group) => group == 3 ? new Address(fourth) : new Address(first, 0, GroupStride, group);

    private void Begin()
    {
        foreach (Gp register in Saved) Code.Push(register);
        BeginFrame();
        EmitConstants();
        Code.Move(WeightBase, new Address(Call, DotCall.WeightsOffset));
        Code.Move(GroupStride, new Address(Call, DotCall.GroupStrideOffset));
        Code.Move(InputBase, new Address(Call, DotCall.InputOffset));
        Code.Move(InputStride, new Address(Call, DotCall.InputStrideOffset));
        Code.Move(Units, new Address(Call, DotCall.UnitsOffset));
        Code.LoadAddress(NextBase, new Address(WeightBase, 0, GroupStride, Groups));
        if (Groups == 4)
        {
            Code.LoadAddress(WeightBase3, new Address(WeightBase, 0, GroupStride, 2));
            Code.Add(WeightBase3, GroupStride);
            Code.LoadAddress(NextBase3, new Address(WeightBase3, 0, GroupStride, 4));
        }

        for (int i = 1; 3 * i < Tokens; i++)
        {
            Code.LoadAddress(InputBases[i], new Address(InputBases[i - 1], 0, InputStride, 2));
            Code.Add(InputBases[i], InputStride);
        }

        ZeroResults();
    }

    private void EmitLoop()
    {
        Code.Align(64);
        int outer = Code.Position;
        if (TurnsPerHeader > 0)
        {
            Code.Move(Header, WeightBase);
            if (Groups == 4) Code.Move(Header3, WeightBase3);
            Advance(HeaderBytes, 0);
            Code.Move(Inner, (uint)TurnsPerHeader);
        }

        int inner = Code.Position;
        EmitPrefetches();
        EmitUnit();
        Advance(WeightUnit, InputUnit);
        if (TurnsPerHeader > 0)
        {
            Code.Decrement(Inner);
            Code.JumpIfNotZero(inner);
        }

        Code.Decrement(Units);
        Code.JumpIfNotZero(outer);
    }

    /// <summary>
    /// Few tokens are as fast as memory: one stream comes closest to it. More take long enough over their groups to fetch the same place of those that come
    /// next meanwhile. Past the end of the weights a prefetch is harmless.
    /// </summary>
    private void EmitPrefetches()
    {
        for (int group = 0; group < Groups; group++)
        {
            if (IsStream)
            {
                foreach ((int bytes, int level) in Ahead) EmitPrefetch(WeightsOf(group) + bytes, level);
            }
            else
            {
                EmitPrefetch(OfGroup(NextBase, NextBase3, group), 2);
            }
        }
    }

    /// <summary>The lines of a turn.</summary>
    private void EmitPrefetch(Address first, int level)
    {
        for (int line = 0; line < WeightUnit; line += 64) Code.Prefetch(first + line, level);
    }

    private void Advance(int weights, int input)
    {
        Code.Add(WeightBase, weights);
        Code.Add(NextBase, weights);
        if (Groups == 4)
        {
            Code.Add(WeightBase3, weights);
            Code.Add(NextBase3, weights);
        }

        if (input == 0) return;
        for (int i = 0; 3 * i < Tokens; i++) Code.Add(InputBases[i], input);
    }

    private void StoreResults()
    {
        Code.Move(WeightBase, new Address(Call, DotCall.OutputOffset));
        Code.Move(GroupStride, new Address(Call, DotCall.OutputStrideOffset));
        for (int token = 0; token < Tokens; token++)
        {
            for (int group = 0; group < Groups; group++) StoreResult(new Address(WeightBase, group * 64), group, token);
            Code.Add(WeightBase, GroupStride);
        }
    }
}
