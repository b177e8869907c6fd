namespace InferenceServer.Cpu.Emitting;

/// <summary>BF16 weights times inputs rounded to bf16, as PyTorch and llama.cpp compute them: pairs of columns, sums in f32 (AVX512_BF16).</summary>
internal sealed class Bf16Emitter : DotEmitter
{
    public const int ColumnsPerTurn = 16;

    protected override int WeightUnit => ColumnsPerTurn / 2 * 64;

    protected override int InputUnit => ColumnsPerTurn * 2;

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
