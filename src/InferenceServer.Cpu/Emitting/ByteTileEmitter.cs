using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// Emits one kernel: 16 weight rows, unpacked to a <see cref="TilePanel{TFormat}"/>, times up to 16 tokens laid out by <see cref="ByteTiles"/>. A tile holds the
/// exact integer sums of a block of 32 columns; they go through memory into vectors and are scaled and added there in the order and with the roundings
/// of <see cref="ByteDotEmitter"/>: the same bits. Three blocks are under way at once, so that tiles multiply while vectors scale: one's sums are
/// scaled, the next one's go to memory, the one's behind it are made. Therefore a kernel reads a unit of either input more than it uses.
/// </summary>
/// <param name="hasMinimum">The format subtracts a minimum.</param>
/// <param name="aheadBytes">What a unit brings into the cache of the weights that come next; 0: nothing.</param>
internal sealed class ByteTileEmitter(bool hasMinimum, int aheadBytes)
{
    private const Gp Call = Gp.Rdi;
    private const Gp Panel = Gp.Rsi;
    private const Gp Input = Gp.R8;
    private const Gp Scratch = Gp.R9;
    private const Gp RowBytes = Gp.Rax;
    private const Gp Output = Gp.Rdx;
    private const Gp OutputStride = Gp.Rcx;
    private const Gp Units = Gp.R10;
    private const Gp Ahead = Gp.R11;
    private const int Sum = 16;
    private const int Factor = 17;
    private const int Scale = 30;
    private const int Minimum = 31;
    private readonly Assembler _code = new();

    /// <summary>Code of System V's calling convention: (DotCall*) -> void. One unit is 64 columns.</summary>
    /// <param name="tokens">1 to 16; the tile has 16 all the same.</param>
    /// <param name="adds">To what the output holds; otherwise it begins at 0.</param>
    public byte[] Emit(int tokens, bool adds)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, TileShapes.Rows);
        _code.Move(Panel, new Address(Call, DotCall.WeightsOffset));
        _code.Move(Input, new Address(Call, DotCall.InputOffset));
        _code.Move(Scratch, new Address(Call, DotCall.ScratchOffset));
        _code.Move(Units, new Address(Call, DotCall.UnitsOffset));
        _code.Move(RowBytes, TileShapes.RowBytes);
        if (aheadBytes > 0) _code.Move(Ahead, new Address(Call, DotCall.AheadOffset));
        PassResults(tokens, token => Begin(token, adds));
        EmitProduct(0, next: false);
        EmitProduct(1, next: false);
        StoreSums(0);
        _code.Align(64);
        int loop = _code.Position;
        for (int block = 0; block < 2; block++)
        {
            StoreSums(1 - block);
            EmitProduct(block, next: true);
            EmitScaling(block, tokens);
        }

        for (int line = 0; line < aheadBytes; line += 64) _code.Prefetch(new Address(Ahead, line), 2);
        _code.Add(Ahead, aheadBytes);
        _code.Add(Panel, 2 * TilePanel.BlockBytes);
        _code.Add(Input, ByteTiles.UnitBytes);
        _code.Decrement(Units);
        _code.JumpIfNotZero(loop);
        PassResults(tokens, token => _code.Store(new Address(Output), token));
        _code.ZeroUpper();
        _code.Return();
        return _code.ToArray();
    }

    private void Begin(int token, bool adds)
    {
        if (adds) _code.Load(token, new Address(Output));
        else _code.Zero(token);
    }

    /// <summary>Token after token, with its output's address.</summary>
    private void PassResults(int tokens, Action<int> pass)
    {
        _code.Move(Output, new Address(Call, DotCall.OutputOffset));
        _code.Move(OutputStride, new Address(Call, DotCall.OutputStrideOffset));
        for (int token = 0; token < tokens; token++)
        {
            pass(token);
            _code.Add(Output, OutputStride);
        }
    }

    private void EmitProduct(int block, bool next)
    {
        int panel = (next ? 2 + block : block) * TilePanel.BlockBytes, input = (next ? ByteTiles.UnitBytes : 0) + block * ByteInput.BlockColumns;
        int sums = block, inputs = 2 + block, weights = 4 + block;
        _code.ZeroTile(sums);
        _code.LoadTile(inputs, new Address(Input, input, RowBytes, 1));
        _code.LoadTile(weights, new Address(Panel, panel, RowBytes, 1));
        _code.DotByteTiles(sums, inputs, weights);
    }

    private void StoreSums(int block) => _code.StoreTile(new Address(Scratch, block * TileShapes.TileBytes, RowBytes, 1), block);

    private void EmitScaling(int block, int tokens)
    {
        _code.Load(Scale, new Address(Panel, block * TilePanel.BlockBytes + TilePanel.ScaleOffset));
        if (hasMinimum) _code.Load(Minimum, new Address(Panel, block * TilePanel.BlockBytes + TilePanel.MinimumOffset));
        for (int token = 0; token < tokens; token++)
        {
            _code.Int32ToFloat(Sum, new Address(Scratch, block * TileShapes.TileBytes + token * TileShapes.RowBytes));
            _code.MultiplyBroadcast(Factor, Scale, new Address(Input, ByteTiles.ScaleOffset(block) + 4 * token));
            _code.MultiplyAdd(token, Sum, Factor);
            if (hasMinimum) _code.MultiplySubtractBroadcast(token, Minimum, new Address(Input, ByteTiles.SumOffset(block) + 4 * token));
        }
    }
}
