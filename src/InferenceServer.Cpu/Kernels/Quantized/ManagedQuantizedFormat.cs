using System.Runtime.CompilerServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>
/// Quantized weights in managed code: one group of 16 rows times one or four tokens. A part's sum is exact in integers, then scaled by both scales
/// and added in the order of columns, as in emitted code: the same bits.
/// </summary>
internal sealed unsafe class ManagedQuantizedFormat<TBytes, TLanes, TFormat> : WeightFormat
    where TBytes : struct, IByteLanes<TBytes, TLanes>
    where TLanes : struct, ILanes<TLanes>
    where TFormat : struct, IBlockFormat<TBytes, TLanes>
{
    private static int StepsPerPart => 8 / TFormat.PartsPerBlock;

    public override ElementType Type => TFormat.Layout.Type;

    public override string Layout => QuantizedLayout.Name;

    public override InputForm InputFor(int tokens) => TFormat.Layout.Input;

    public override long GroupBytes(int columns) => TFormat.Layout.GroupBytes(columns);

    public override void Pack(byte** rows, int columns, byte* group) => TFormat.Layout.Pack(rows, columns, group);

    public override void Unpack(byte* group, int row, int columns, float* output) => TFormat.Layout.Unpack(group, row, columns, output);

    public override void Multiply(in LinearTile tile, float* scratch)
    {
        int turns = TFormat.Layout.Turns(tile.Columns);
        for (int group = 0; group < tile.Groups; group++)
        {
            byte* weights = tile.Weights + group * tile.GroupStride;
            float* output = tile.Output + group * Tile.GroupRows;
            int row = 0;
            for (; row + 4 <= tile.Rows; row += 4)
                FourTokens(weights, turns, tile.Input + row * tile.InputStride, tile.InputStride, output + row * tile.OutputStride, tile.OutputStride);
            for (; row < tile.Rows; row++) OneToken(weights, turns, tile.Input + row * tile.InputStride, output + row * tile.OutputStride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void OneToken(byte* weights, int turns, byte* input, float* output)
    {
        int inputBytes = ByteInput.UnitBytesOf(TFormat.Layout.Input);
        TLanes a = TLanes.Zero;
        for (int turn = 0; turn < turns; turn++)
        {
            byte* header = weights;
            weights += TFormat.HeaderBytes;
            for (int unit = 0; unit < (TFormat.HeaderBytes == 0 ? 1 : 4); unit++, weights += TFormat.UnitBytes, input += inputBytes)
            {
                for (int part = 0; part < 2 * TFormat.PartsPerBlock; part++)
                {
                    int block = part / TFormat.PartsPerBlock, first = part % TFormat.PartsPerBlock * StepsPerPart;
                    TBytes s = Begin(input, part);
                    for (int step = first; step < first + StepsPerPart; step++) s = Dot(s, TFormat.Step(weights, block, step), input, block, step);
                    a = Add(a, s, TFormat.Scale(header, weights, part), input, block);
                    if (TFormat.HasMinimum) a = Subtract(a, TFormat.Minimum(header, weights, part), input, block);
                }
            }
        }

        TLanes.Store(a, output);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FourTokens(byte* weights, int turns, byte* x0, nint stride, float* output, nint next)
    {
        int inputBytes = ByteInput.UnitBytesOf(TFormat.Layout.Input);
        byte* x1 = x0 + stride, x2 = x1 + stride, x3 = x2 + stride;
        TLanes a = TLanes.Zero, b = a, c = a, d = a;
        for (int turn = 0; turn < turns; turn++)
        {
            byte* header = weights;
            weights += TFormat.HeaderBytes;
            for (int unit = 0; unit < (TFormat.HeaderBytes == 0 ? 1 : 4); unit++, weights += TFormat.UnitBytes)
            {
                for (int part = 0; part < 2 * TFormat.PartsPerBlock; part++)
                {
                    int block = part / TFormat.PartsPerBlock, first = part % TFormat.PartsPerBlock * StepsPerPart;
                    TBytes s = Begin(x0, part), t = Begin(x1, part), u = Begin(x2, part), v = Begin(x3, part);
                    for (int step = first; step < first + StepsPerPart; step++)
                    {
                        TBytes w = TFormat.Step(weights, block, step);
                        s = Dot(s, w, x0, block, step);
                        t = Dot(t, w, x1, block, step);
                        u = Dot(u, w, x2, block, step);
                        v = Dot(v, w, x3, block, step);
                    }

                    TLanes scale = TFormat.Scale(header, weights, part);
                    a = Add(a, s, scale, x0, block);
                    b = Add(b, t, scale, x1, block);
                    c = Add(c, u, scale, x2, block);
                    d = Add(d, v, scale, x3, block);
                    if (!TFormat.HasMinimum) continue;
                    TLanes minimum = TFormat.Minimum(header, weights, part);
                    a = Subtract(a, minimum, x0, block);
                    b = Subtract(b, minimum, x1, block);
                    c = Subtract(c, minimum, x2, block);
                    d = Subtract(d, minimum, x3, block);
                }

                x0 += inputBytes;
                x1 += inputBytes;
                x2 += inputBytes;
                x3 += inputBytes;
            }
        }

        TLanes.Store(a, output);
        TLanes.Store(b, output + next);
        TLanes.Store(c, output + 2 * next);
        TLanes.Store(d, output + 3 * next);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TBytes Begin(byte* input, int part)
    {
        if (TFormat.OffsetBits == 0) return TBytes.Fill(0);
        int negatedSum = *(int*)(input + (TFormat.PartsPerBlock == 2 ? ByteInput.Sum16Offset(part) : ByteInput.SumOffset(part)));
        return TBytes.Fill(negatedSum << TFormat.OffsetBits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TBytes Dot(TBytes sum, TBytes weights, byte* input, int block, int step)
    {
        int four = *(int*)(input + block * 32 + step * 4);
        return TFormat.Biased ? TBytes.DotBiased(sum, weights, four) : TBytes.DotSmall(sum, weights, four);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Add(TLanes result, TBytes sum, TLanes scale, byte* input, int block) =>
        TBytes.AddScaled(sum, TLanes.Multiply(scale, *(float*)(input + ByteInput.ScaleOffset(block))), result);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Subtract(TLanes result, TLanes minimum, byte* input, int block) =>
        TLanes.MultiplyAdd(minimum, -*(float*)(input + ByteInput.SumOffset(block)), result);
}
