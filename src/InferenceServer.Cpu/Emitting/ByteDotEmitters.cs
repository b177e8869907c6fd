using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// Quantized weights: units of 64 columns in two blocks of 32, eight steps of four columns each. A step's weights, unsigned bytes, meet
/// four signed bytes of each token; a block's sum is exact in integers and then scaled by both scales.
/// </summary>
internal abstract class ByteDotEmitter : DotEmitter
{
    protected override int InputUnit => ByteInput.UnitBytes;

    protected override void EmitUnit()
    {
        for (int block = 0; block < 2; block++)
        {
            EmitBlock(block);
        }
    }

    protected abstract void EmitBlock(int block);

    /// <summary>Sums begin at -offset * (sum of the token's bytes), offset = 2^bits: what unsigned weights have too much.</summary>
    protected void BeginSums(int inputOffset, int bits)
    {
        for (int group = 0; group < Groups; group++)
            for (int token = 0; token < Tokens; token++) Code.BroadcastShiftLeft32(Sum(group, token), InputOf(token) + inputOffset, bits);
        ZeroSecondSums();
    }

    protected void BeginSumsAtZero()
    {
        for (int group = 0; group < Groups; group++)
            for (int token = 0; token < Tokens; token++) Code.Zero(Sum(group, token));
        ZeroSecondSums();
    }

    /// <summary>The step's weights are in <see cref="DotEmitter.Weights"/>.</summary>
    protected void Dot(int group, int column)
    {
        for (int token = 0; token < Tokens; token++)
            Code.DotBytes(column % 8 == 0 || !IsStream ? Sum(group, token) : SecondSum(group, token), Weights, InputOf(token) + column);
    }

    /// <summary>The weights' scales are in <see cref="DotEmitter.Scale"/>.</summary>
    protected void AddScaled(int group, int block)
    {
        for (int token = 0; token < Tokens; token++)
        {
            int sum = Sum(group, token);
            if (IsStream) Code.AddInt32(sum, sum, SecondSum(group, token));
            Code.Int32ToFloat(sum, sum);
            Code.MultiplyBroadcast(Temporary, Scale, InputOf(token) + ByteInput.ScaleOffset(block));
            Code.MultiplyAdd(Result(group, token), sum, Temporary);
        }
    }

    /// <summary>Where few sums are in flight each is kept in two halves, for the latency of a product; in integers that changes nothing.</summary>
    private int SecondSum(int group, int token) => 2 * Groups * Tokens + Sum(group, token);

    private void ZeroSecondSums()
    {
        for (int i = 0; IsStream && i < Groups * Tokens; i++) Code.Zero(SecondSum(0, i));
    }

    protected void LowNibbles(Address vector) => Code.And(Weights, NibbleMask, vector);

    protected void HighNibbles(Address vector)
    {
        Code.ShiftRight16(Weights, vector, 4);
        Code.And(Weights, Weights, NibbleMask);
    }

    protected override void EmitConstants() => FillBytes(NibbleMask, 0x0F);
}

/// <summary>Q8_0, bytes + 128. See <see cref="Q8Layout"/>.</summary>
internal sealed class Q8Emitter : ByteDotEmitter
{
    protected override int WeightUnit => Q8Layout.UnitBytes;

    protected override IReadOnlyList<(int Bytes, int Level)> StreamAhead => [(1024, 1), (4096, 2)];

    protected override IReadOnlyList<(int Bytes, int Level)> Zen5Ahead => [(1024, 1)];

    protected override void EmitBlock(int block)
    {
        BeginSums(ByteInput.SumOffset(block), 7);
        for (int step = 0; step < 8; step++)
        {
            for (int group = 0; group < Groups; group++)
            {
                Code.Load(Weights, WeightsOf(group) + (block * 512 + step * 64));
                Dot(group, block * 32 + step * 4);
            }
        }

        for (int group = 0; group < Groups; group++)
        {
            Code.HalfToFloat(Scale, WeightsOf(group) + (Q8Layout.ScaleOffset + block * 32));
            AddScaled(group, block);
        }
    }

    protected override void EmitConstants()
    {
    }
}

/// <summary>Q4_0. See <see cref="Q4Layout"/>.</summary>
internal sealed class Q4Emitter : ByteDotEmitter
{
    protected override int WeightUnit => Q4Layout.UnitBytes;

    protected override void EmitBlock(int block)
    {
        BeginSums(ByteInput.SumOffset(block), 3);
        for (int vector = 0; vector < 4; vector++)
        {
            for (int group = 0; group < Groups; group++)
            {
                Address nibbles = WeightsOf(group) + (block * 256 + vector * 64);
                LowNibbles(nibbles);
                Dot(group, block * 32 + vector * 4);
                HighNibbles(nibbles);
                Dot(group, block * 32 + 16 + vector * 4);
            }
        }

        for (int group = 0; group < Groups; group++)
        {
            Code.HalfToFloat(Scale, WeightsOf(group) + (Q4Layout.ScaleOffset + block * 32));
            AddScaled(group, block);
        }
    }
}

/// <summary>Q4_K and, with fifth bits, Q5_K. See <see cref="Q4KLayout"/> and <see cref="Q5KLayout"/>.</summary>
internal sealed class Q45KEmitter(bool fifthBits) : ByteDotEmitter
{
    private readonly int _scales = fifthBits ? Q5KLayout.ScaleOffset : Q4KLayout.ScaleOffset;

    protected override int WeightUnit => fifthBits ? Q5KLayout.UnitBytes : Q4KLayout.UnitBytes;

    protected override IReadOnlyList<(int Bytes, int Level)> Zen5Ahead => [(2048, 1)];

    protected override int TurnsPerHeader => 4;

    protected override int HeaderBytes => 64;

    protected override void EmitBlock(int block)
    {
        BeginSumsAtZero();
        for (int vector = 0; vector < 4; vector++)
        {
            for (int group = 0; group < Groups; group++)
            {
                Address nibbles = WeightsOf(group) + (block * 256 + vector * 64), fifth = WeightsOf(group) + (Q5KLayout.FifthOffset + block * 64);
                LowNibbles(nibbles);
                if (fifthBits) OrFifthBit(fifth, vector);
                Dot(group, block * 32 + vector * 4);
                HighNibbles(nibbles);
                if (fifthBits) OrFifthBit(fifth, 4 + vector);
                Dot(group, block * 32 + 16 + vector * 4);
            }
        }

        for (int group = 0; group < Groups; group++)
        {
            ScaleOf(Scale, HeaderOf(group), WeightsOf(group) + (_scales + block * 16));
            ScaleOf(Minimum, HeaderOf(group) + 32, WeightsOf(group) + (_scales + 32 + block * 16));
            AddScaled(group, block);
            for (int token = 0; token < Tokens; token++)
                Code.MultiplySubtractBroadcast(Result(group, token), Minimum, InputOf(token) + ByteInput.SumOffset(block));
        }
    }

    protected override void EmitConstants()
    {
        base.EmitConstants();
        if (fifthBits) FillBytes(HighMask, 0x10);
    }

    private void ScaleOf(int target, Address half, Address bytes)
    {
        Code.WidenUnsignedBytes(target, bytes);
        Code.Int32ToFloat(target, target);
        Code.HalfToFloat(Temporary, half);
        Code.Multiply(target, Temporary, target);
    }

    /// <summary>Bit <paramref name="step"/> of each byte becomes bit 4.</summary>
    private void OrFifthBit(Address bits, int step)
    {
        if (step <= 4) Code.ShiftLeft16(Shifted, bits, 4 - step);
        else Code.ShiftRight16(Shifted, bits, step - 4);
        Code.OrAnd(Weights, Shifted, HighMask);
    }
}

/// <summary>Q6_K: a scale for every 16 columns. See <see cref="Q6KLayout"/>.</summary>
internal sealed class Q6KEmitter : ByteDotEmitter
{
    protected override int WeightUnit => Q6KLayout.UnitBytes;

    protected override IReadOnlyList<(int Bytes, int Level)> StreamAhead => [(1024, 1), (8192, 2)];

    protected override IReadOnlyList<(int Bytes, int Level)> Zen5Ahead => [(4096, 2)];

    protected override int InputUnit => ByteInput.UnitBytesSum16;

    protected override int TurnsPerHeader => 4;

    protected override int HeaderBytes => 64;

    protected override void EmitBlock(int block)
    {
        EmitHalf(block, 0);
        EmitHalf(block, 1);
    }

    protected override void EmitConstants()
    {
        base.EmitConstants();
        FillBytes(HighMask, 0x30);
    }

    private void EmitHalf(int block, int half)
    {
        BeginSums(ByteInput.Sum16Offset(block * 2 + half), 5);
        for (int vector = 0; vector < 4; vector++)
        {
            for (int group = 0; group < Groups; group++)
            {
                Address nibbles = WeightsOf(group) + (block * Q6KLayout.BlockBytes + vector * 64);
                Address pairs = WeightsOf(group) + (block * Q6KLayout.BlockBytes + 256 + half * 64);
                if (half == 0) LowNibbles(nibbles);
                else HighNibbles(nibbles);
                if (vector <= 2) Code.ShiftLeft16(Shifted, pairs, 4 - 2 * vector);
                else Code.ShiftRight16(Shifted, pairs, 2);
                Code.OrAnd(Weights, Shifted, HighMask);
                Dot(group, block * 32 + half * 16 + vector * 4);
            }
        }

        for (int group = 0; group < Groups; group++)
        {
            Code.WidenSignedBytes(Scale, WeightsOf(group) + (Q6KLayout.ScaleOffset + (block * 2 + half) * 16));
            Code.Int32ToFloat(Scale, Scale);
            Code.HalfToFloat(Temporary, HeaderOf(group));
            Code.Multiply(Scale, Temporary, Scale);
            AddScaled(group, block);
        }
    }
}
