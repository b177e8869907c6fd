using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Emitting;

/// <summary>Weights of four bits: a block's 16-bit sums hold at most 8 x 2 x 15 x 127.</summary>
internal abstract class NibbleEmitter256(ByteProducts products) : ByteDotEmitter256(products)
{
    private const int WeightsOfHalf = 12; // and the next
    private const int Activations = 14;

    protected abstract int ScaleOffset { get; }

    protected override void LoadWeights(int target, int block, int half, int step) => LoadNibbles(target, WeightsOf(0) + block * 256, half, step);

    protected override void WidenSum(int sum) => Code.MultiplyPairs256(sum, sum, Constant(Ones));

    protected override void EmitSums(int block, int firstStep, int steps)
    {
        for (int step = firstStep; step < firstStep + steps; step++)
        {
            for (int half = 0; half < 2; half++) LoadWeights(WeightsOfHalf + half, block, half, step);
            for (int token = 0; token < Tokens; token++)
            {
                Code.Broadcast256(Activations, Input(token, block, step));
                for (int half = 0; half < 2; half++)
                {
                    int sum = SumOf(half, token), product = step == firstStep ? sum : Temporary256;
                    Code.MultiplyBytes256(product, WeightsOfHalf + half, Activations);
                    if (product != sum) Code.AddInt16By256(sum, sum, product);
                }
            }
        }
    }
}

/// <summary>Q4_0. See <see cref="Q4Layout"/>.</summary>
internal sealed class Q4Emitter256(ByteProducts products) : NibbleEmitter256(products)
{
    protected override int WeightUnit => Q4Layout.UnitBytes;

    protected override int ScaleOffset => Q4Layout.ScaleOffset;

    protected override int OffsetBits => 3;

    protected override void EmitScale(int target, int half, int part) => Code.HalfToFloat256(target, WeightsOf(0) + (ScaleOffset + part * 32 + half * 16));
}

/// <summary>Q4_K. See <see cref="Q4KLayout"/>.</summary>
internal sealed class Q4KEmitter256(ByteProducts products) : NibbleEmitter256(products)
{
    protected override int WeightUnit => Q4KLayout.UnitBytes;

    protected override int TurnsPerHeader => 4;

    protected override int HeaderBytes => Q4KLayout.HeaderBytes;

    protected override int ScaleOffset => Q4KLayout.ScaleOffset;

    protected override bool HasMinimum => true;

    protected override void EmitScale(int target, int half, int part) =>
        ScaleFromBytes(target, HeaderOf(0) + half * 16, WeightsOf(0) + (ScaleOffset + part * 16 + half * 8), signed: false);

    protected override void EmitMinimum(int target, int half, int part) =>
        ScaleFromBytes(target, HeaderOf(0) + (32 + half * 16), WeightsOf(0) + (Q4KLayout.MinimumOffset + part * 16 + half * 8), signed: false);
}

/// <summary>Weights of five or six bits: 16 bits hold the sums of two steps, at most 2 x 2 x 63 x 127.</summary>
internal abstract class PairedEmitter256(ByteProducts products) : ByteDotEmitter256(products)
{
    private const int WeightsOfStep = 8; // two halves of two steps
    private const int Activations = 12; // of two steps
    private const int Product = 14;

    protected override int MaxTokensWithoutVnni => 4;

    protected override int TurnsPerHeader => 4;

    protected override void EmitSums(int block, int firstStep, int steps)
    {
        for (int step = firstStep; step < firstStep + steps; step += 2)
        {
            for (int i = 0; i < 4; i++) LoadWeights(WeightsOfStep + i, block, i % 2, step + i / 2);
            for (int token = 0; token < Tokens; token++)
            {
                Code.Broadcast256(Activations, Input(token, block, step));
                Code.Broadcast256(Activations + 1, Input(token, block, step + 1));
                for (int half = 0; half < 2; half++)
                {
                    int sum = SumOf(half, token);
                    Code.MultiplyBytes256(Product, WeightsOfStep + half, Activations);
                    Code.MultiplyBytes256(Temporary256, WeightsOfStep + 2 + half, Activations + 1);
                    Code.AddInt16By256(Product, Product, Temporary256);
                    Code.MultiplyPairs256(step == firstStep ? sum : Product, Product, Constant(Ones));
                    if (step != firstStep) Code.AddInt32By256(sum, sum, Product);
                }
            }
        }
    }
}

/// <summary>Q5_K. See <see cref="Q5KLayout"/>.</summary>
internal sealed class Q5KEmitter256(ByteProducts products) : PairedEmitter256(products)
{
    protected override int WeightUnit => Q5KLayout.UnitBytes;

    protected override int HeaderBytes => Q5KLayout.HeaderBytes;

    protected override bool HasMinimum => true;

    protected override void LoadWeights(int target, int block, int half, int step)
    {
        LoadNibbles(target, WeightsOf(0) + block * 256, half, step);
        OrBits(target, WeightsOf(0) + (Q5KLayout.FifthOffset + block * 64 + half * Register), 4 - step);
    }

    protected override void EmitScale(int target, int half, int part) =>
        ScaleFromBytes(target, HeaderOf(0) + half * 16, WeightsOf(0) + (Q5KLayout.ScaleOffset + part * 16 + half * 8), signed: false);

    protected override void EmitMinimum(int target, int half, int part) =>
        ScaleFromBytes(target, HeaderOf(0) + (32 + half * 16), WeightsOf(0) + (Q5KLayout.MinimumOffset + part * 16 + half * 8), signed: false);

    protected override void EmitConstants()
    {
        base.EmitConstants();
        Fill(HighMask256, 0x10101010);
    }
}

/// <summary>Q6_K: a scale for every 16 columns. See <see cref="Q6KLayout"/>.</summary>
internal sealed class Q6KEmitter256(ByteProducts products) : PairedEmitter256(products)
{
    protected override int WeightUnit => Q6KLayout.UnitBytes;

    protected override int InputUnit => ByteInput.UnitBytesSum16;

    protected override int HeaderBytes => Q6KLayout.HeaderBytes;

    protected override int PartsPerBlock => 2;

    protected override int OffsetBits => 5;

    protected override void LoadWeights(int target, int block, int half, int step)
    {
        Address vectors = WeightsOf(0) + block * Q6KLayout.BlockBytes;
        LoadNibbles(target, vectors, half, step);
        OrBits(target, vectors + (Q6KLayout.PairsOffset + step / 4 * 64 + half * Register), 4 - step % 4 * 2);
    }

    protected override void EmitScale(int target, int half, int part) =>
        ScaleFromBytes(target, HeaderOf(0) + half * 16, WeightsOf(0) + (Q6KLayout.ScaleOffset + part * 16 + half * 8), signed: true);

    protected override void EmitConstants()
    {
        base.EmitConstants();
        Fill(HighMask256, 0x30303030);
    }
}

/// <summary>
/// Q8_0, bytes + 128. Without VNNI |w| times a with w's sign, so that 16 bits hold the sum of two, at most 2 x 128 x 127. See <see cref="Q8Layout"/>.
/// </summary>
internal sealed class Q8Emitter256(ByteProducts products) : ByteDotEmitter256(products)
{
    private const int WeightsOfHalf = 8;
    private const int Magnitudes = 10;
    private const int Activations = 12;
    private const int Product = 13;
    private const int OnesRegister = 14;

    protected override int MaxTokensWithoutVnni => 4;

    protected override int WeightUnit => Q8Layout.UnitBytes;

    protected override int OffsetBits => HasVnni ? 7 : 0;

    protected override void LoadWeights(int target, int block, int half, int step) =>
        Code.Load256(target, WeightsOf(0) + (block * 512 + step * 64 + half * Register));

    protected override void EmitSums(int block, int firstStep, int steps)
    {
        Code.Load256(OnesRegister, Constant(Ones));
        Code.Load256(Temporary256, Constant(LowMask));
        for (int step = firstStep; step < firstStep + steps; step++)
        {
            for (int half = 0; half < 2; half++)
            {
                Code.Xor256(WeightsOfHalf + half, Temporary256, WeightsOf(0) + (block * 512 + step * 64 + half * Register));
                Code.Absolute256(Magnitudes + half, WeightsOfHalf + half);
            }

            for (int token = 0; token < Tokens; token++)
            {
                Code.Broadcast256(Activations, Input(token, block, step));
                for (int half = 0; half < 2; half++)
                {
                    int sum = SumOf(half, token);
                    Code.Sign256(Product, Activations, WeightsOfHalf + half);
                    Code.MultiplyBytes256(Product, Magnitudes + half, Product);
                    Code.MultiplyPairs256(step == firstStep ? sum : Product, Product, OnesRegister);
                    if (step != firstStep) Code.AddInt32By256(sum, sum, Product);
                }
            }
        }
    }

    protected override void EmitScale(int target, int half, int part) => Code.HalfToFloat256(target, WeightsOf(0) + (Q8Layout.ScaleOffset + part * 32 + half * 16));

    protected override void EmitConstants()
    {
        Fill(Ones, 0x00010001);
        Fill(LowMask, 0x80808080);
    }
}
