namespace InferenceServer.Cpu.Emitting;

/// <summary>BF16 weights times inputs rounded to bf16, as PyTorch and llama.cpp compute them: pairs of columns, sums in f32 (AVX512_BF16).</summary>
internal sealed class Bf16Emitter : DotEmitter
{
    public const int ColumnsPerTurn = 16;

    protected override int WeightUnit => ColumnsPerTurn / 2 * 64;

    protected override int InputUnit => ColumnsPerTurn * 2;

    protected override IReadOnlyList<(int Bytes, int Level)> Zen5Ahead => [(2048, 1)];

    protected override void EmitUnit()
    {
        for (int pair = 0; pair < ColumnsPerTurn / 2; pair++)
        {
            for (int group = 0; group < Groups; group++)
            {
                Code.Load(Weights, WeightsOf(group) + pair * 64);
                for (int token = 0; token < Tokens; token++) Code.DotBf16(Result(group, token), Weights, InputOf(token) + pair * 4);
            }
        }
    }
}

/// <summary>F16 weights, widened by the instruction that .NET does not expose, times f32 inputs. Sixteen halves a column.</summary>
internal sealed class F16Emitter : DotEmitter
{
    public const int ColumnsPerTurn = 16;

    protected override int WeightUnit => ColumnsPerTurn * 32;

    protected override int InputUnit => ColumnsPerTurn * 4;

    protected override void EmitUnit()
    {
        for (int column = 0; column < ColumnsPerTurn; column++)
        {
            for (int group = 0; group < Groups; group++)
            {
                Code.HalfToFloat(Weights, WeightsOf(group) + column * 32);
                for (int token = 0; token < Tokens; token++) Code.MultiplyAddBroadcast(Result(group, token), Weights, InputOf(token) + column * 4);
            }
        }
    }
}

/// <summary>BF16 or F16 weights in eight lanes times f32 inputs, laid out as for <see cref="Bf16Emitter"/> and <see cref="F16Emitter"/>; column after column.</summary>
internal sealed class HalfEmitter256(bool bf16) : DotEmitter256
{
    private const int WeightsOfHalf = 12; // and the next
    private const int Activation = 14;
    private const int OddMask = Temporary256;

    protected override int WeightUnit => F16Emitter.ColumnsPerTurn * 32;

    protected override int InputUnit => F16Emitter.ColumnsPerTurn * 4;

    public override int GroupsTogether(int tokens) => tokens <= MaxTokens / 2 ? 2 : 1;

    protected override void EmitUnit()
    {
        for (int column = 0; column < F16Emitter.ColumnsPerTurn; column++)
        {
            for (int group = 0; group < Groups; group++)
            {
                for (int half = 0; half < 2; half++) Widen(WeightsOfHalf + half, group, column, half);
                for (int token = 0; token < Tokens; token++)
                {
                    Code.Broadcast256(Activation, InputOf(token) + column * 4);
                    for (int half = 0; half < 2; half++) Code.MultiplyAdd256(ResultOf(group, token, half), WeightsOfHalf + half, Activation);
                }
            }
        }
    }

    protected override void EmitConstants()
    {
        if (!bf16) return;
        Code.Move(Gp.Rax, 0xFFFF0000);
        Code.Broadcast256(OddMask, Gp.Rax);
    }

    protected override void ZeroResults()
    {
        for (int i = 0; i < 2 * Groups * Tokens; i++) Code.Zero256(i);
    }

    protected override void StoreResult(Address target, int group, int token)
    {
        for (int half = 0; half < 2; half++) Code.Store256(target + half * Register, ResultOf(group, token, half));
    }

    private int ResultOf(int group, int token, int half) => 2 * Sum(group, token) + half;

    private void Widen(int target, int group, int column, int half)
    {
        if (!bf16)
        {
            Code.HalfToFloat256(target, WeightsOf(group) + (column * 32 + half * 16));
            return;
        }

        Address pair = WeightsOf(group) + (column / 2 * 64 + half * Register);
        if (column % 2 == 1)
        {
            Code.And256(target, OddMask, pair);
            return;
        }

        Code.Load256(target, pair);
        Code.ShiftLeft32By256(target, target, 16);
    }
}
