using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// Emits one kernel: one or two groups of 16 weight rows times up to 16 tokens, or up to 32, bf16 on both sides. Sums stay in tiles over all columns. How many
/// tokens there are is in the configuration (<see cref="TileShapes.Bf16"/>), not in the code. A sum takes 32 columns at a time, first ones first, in every
/// kernel: the same bits in any batch.
/// </summary>
internal sealed class Bf16TileEmitter
{
    private const Gp Call = Gp.Rdi;
    private const Gp Weights = Gp.Rsi;
    private const Gp NextWeights = Gp.R11;
    private const Gp First = Gp.R8; // of sixteen tokens: outputs, then inputs
    private const Gp Rest = Gp.R10;
    private const Gp Stride = Gp.R9;
    private const Gp RowBytes = Gp.Rax;
    private const Gp Units = Gp.Rcx;
    private const int Inputs = 4;
    private const int WeightTiles = 6;
    private readonly Assembler _code = new();

    /// <summary>Code of System V's calling convention: (DotCall*) -> void. One unit is 32 columns.</summary>
    /// <param name="groups">1 or 2.</param>
    /// <param name="tall">More than 16 tokens.</param>
    /// <param name="adds">To what the output holds; otherwise it begins at 0.</param>
    public byte[] Emit(int groups, bool tall, bool adds)
    {
        int halves = tall ? 2 : 1;
        LocateOutput(tall);
        EachSum(groups, halves, (sums, address) =>
        {
            if (adds) _code.LoadTile(sums, address);
            else _code.ZeroTile(sums);
        });
        _code.Move(First, new Address(Call, DotCall.InputOffset));
        _code.Move(Rest, new Address(Call, DotCall.InputStrideOffset));
        _code.Add(Rest, First);
        _code.Move(Weights, new Address(Call, DotCall.WeightsOffset));
        _code.Move(NextWeights, new Address(Call, DotCall.GroupStrideOffset));
        _code.Add(NextWeights, Weights);
        _code.Move(Units, new Address(Call, DotCall.UnitsOffset));
        _code.Move(RowBytes, TileShapes.RowBytes);
        _code.Align(64);
        int loop = _code.Position;
        EmitTurn(groups, halves);
        if (!tall) EmitPrefetches(groups);
        Advance();
        _code.Decrement(Units);
        _code.JumpIfNotZero(loop);
        LocateOutput(tall);
        EachSum(groups, halves, (sums, address) => _code.StoreTile(address, sums));
        _code.Return();
        return _code.ToArray();
    }

    private void EmitTurn(int groups, int halves)
    {
        for (int half = 0; half < halves; half++) _code.LoadTile(Inputs + half, new Address(half == 0 ? First : Rest, 0, RowBytes, 1));
        for (int group = 0; group < groups; group++)
        {
            _code.LoadTile(WeightTiles + group, new Address(group == 0 ? Weights : NextWeights, 0, RowBytes, 1));
            for (int half = 0; half < halves; half++) _code.DotBf16Tiles(Sums(group, half), Inputs + half, WeightTiles + group);
        }
    }

    /// <summary>Few tokens are as fast as memory. See <see cref="DotEmitter.IntelAhead"/>.</summary>
    private void EmitPrefetches(int groups)
    {
        foreach ((int bytes, int level) in DotEmitter.IntelAhead)
        {
            for (int line = 0; line < TileShapes.TileBytes; line += 64)
            {
                _code.Prefetch(new Address(Weights, bytes + line), level);
                if (groups > 1) _code.Prefetch(new Address(NextWeights, bytes + line), level);
            }
        }
    }

    private void Advance()
    {
        foreach (Gp inputs in (ReadOnlySpan<Gp>)[First, Rest]) _code.Add(inputs, Bf16Tiles.UnitBytes);
        foreach (Gp weights in (ReadOnlySpan<Gp>)[Weights, NextWeights]) _code.Add(weights, TileShapes.TileBytes);
    }

    private static void EachSum(int groups, int halves, Action<int, Address> pass)
    {
        for (int half = 0; half < halves; half++)
            for (int group = 0; group < groups; group++)
                pass(Sums(group, half), new Address(half == 0 ? First : Rest, group * TileShapes.RowBytes, Stride, 1));
    }

    private void LocateOutput(bool tall)
    {
        _code.Move(First, new Address(Call, DotCall.OutputOffset));
        _code.Move(Stride, new Address(Call, DotCall.OutputStrideOffset));
        if (!tall) return;
        _code.LoadAddress(Rest, new Address(First, 0, Stride, 8));
        _code.LoadAddress(Rest, new Address(Rest, 0, Stride, 8));
    }

    private static int Sums(int group, int half) => 2 * half + group;
}
