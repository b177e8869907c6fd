namespace InferenceServer.Cpu.Emitting;

/// <summary>The tile instructions (AMX). A tile is its number, 0 to 7; what it has of rows and columns is said by the configuration.</summary>
internal sealed partial class Assembler
{
    /// <summary>From 64 bytes: see <see cref="TileShapes"/>.</summary>
    public void ConfigureTiles(Address shapes) => Tile(Prefix.None, 0x49, 0, shapes);

    /// <summary>Forgets what is in tiles, so that the system need not save it.</summary>
    public void ReleaseTiles() => Tile(Prefix.None, 0x49, 0, 0, 0);

    public void ZeroTile(int tile) => Tile(Prefix.XF2, 0x49, tile, 0, 0);

    /// <summary>The address' index, taken once, is the stride of rows.</summary>
    public void LoadTile(int tile, Address rows) => Tile(Prefix.XF2, 0x4B, tile, rows);

    public void StoreTile(Address rows, int tile) => Tile(Prefix.XF3, 0x4B, tile, rows);

    /// <summary>sums += signed bytes of inputs (tokens, 4 * n columns) times signed bytes of weights (n, 16 rows of four): exact in 32 bits.</summary>
    public void DotByteTiles(int sums, int inputs, int weights) => Tile(Prefix.XF2, 0x5E, sums, inputs, weights);

    /// <summary>sums += (even columns, then odd ones, each summed in order by fused multiply-adds, added together): bf16.</summary>
    public void DotBf16Tiles(int sums, int inputs, int weights) => Tile(Prefix.XF3, 0x5C, sums, inputs, weights);

    private void Tile(Prefix prefix, byte opcode, int register, int rm, int second)
    {
        VexPrefix(Map.X38, prefix, register, second, 0, 0, wide: false);
        _code.Add(opcode);
        _code.Add((byte)(0xC0 | register << 3 | rm));
    }

    private void Tile(Prefix prefix, byte opcode, int tile, Address rows)
    {
        VexPrefix(Map.X38, prefix, tile, 0, rows.Scale == 0 ? 0 : (int)rows.Index >> 3, (int)rows.Base >> 3, wide: false);
        _code.Add(opcode);
        Memory(tile, rows, 1);
    }
}
