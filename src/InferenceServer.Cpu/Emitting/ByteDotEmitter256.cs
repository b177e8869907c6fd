using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Emitting;

/// <summary>How 256-bit code sums four products of bytes into 32 bits.</summary>
internal enum ByteProducts
{
    /// <summary>First in 16 bits, as far as those hold them.</summary>
    Avx2,

    /// <summary>By one instruction (AVX-VNNI).</summary>
    AvxVnni,

    /// <summary>By the same in the encoding of AVX-512, for processors that have just that: they prove the code.</summary>
    Avx512VnniVl,
}

/// <summary>Quantized weights in 256 bits. Sums are exact, so they are the same bits as everywhere else.</summary>
internal abstract class ByteDotEmitter256(ByteProducts products) : DotEmitter256
{
    protected const int Ones = 0; // constants of the frame: pairs of 1, what isolates or flips bits
    protected const int LowMask = 1;
    protected const int HighMask256 = 2;

    protected const int Shifted256 = 14;
    private const int WeightsOfHalf = 12; // and the next
    private const int ScaleOfHalf = 12;
    private const int MinimumOfHalf = 13;
    private const int Broadcast = 14;

    /// <summary>Most tokens for which <see cref="EmitSums"/> has registers.</summary>
    protected virtual int MaxTokensWithoutVnni => base.MaxTokens;

    public override int MaxTokens => HasVnni ? base.MaxTokens : MaxTokensWithoutVnni;

    protected bool HasVnni => products != ByteProducts.Avx2;

    protected override int InputUnit => ByteInput.UnitBytes;

    /// <summary>A part is what shares a scale: a block of 32 columns, or half of one.</summary>
    protected virtual int PartsPerBlock => 1;

    /// <summary>What weights have too much is 2^bits; 0: nothing.</summary>
    protected virtual int OffsetBits => 0;

    protected virtual bool HasMinimum => false;

    private bool KeepsResults => Tokens <= 2;

    public override int GroupsTogether(int tokens) => 1;

    protected override void EmitUnit()
    {
        for (int part = 0; part < 2 * PartsPerBlock; part++)
        {
            int block = part / PartsPerBlock, steps = 8 / PartsPerBlock;
            if (HasVnni) EmitVnniSums(block, part % PartsPerBlock * steps, steps);
            else EmitSums(block, part % PartsPerBlock * steps, steps);
            FinishSums(block, part);
            AddScaled(block, part);
        }
    }

    /// <summary>A step's weights as unsigned bytes.</summary>
    protected abstract void LoadWeights(int target, int block, int half, int step);

    /// <summary>Products of some steps of four columns into <see cref="SumOf"/>: 32-bit sums, or 16-bit ones that <see cref="WidenSum"/> knows.</summary>
    protected abstract void EmitSums(int block, int firstStep, int steps);

    protected virtual void WidenSum(int sum)
    {
    }

    /// <summary>Scales of eight rows.</summary>
    protected abstract void EmitScale(int target, int half, int part);

    protected virtual void EmitMinimum(int target, int half, int part)
    {
    }

    protected int SumOf(int half, int token) => half * Tokens + token;

    protected static Address Input(int token, int block, int step) => InputOf(token) + (block * ByteInput.BlockColumns + step * 4);

    /// <summary>f16 from the weights' header or unit times bytes.</summary>
    protected void ScaleFromBytes(int target, Address halves, Address bytes, bool signed)
    {
        if (signed) Code.WidenSignedBytes256(target, bytes);
        else Code.WidenUnsignedBytes256(target, bytes);
        Code.Int32ToFloat256(target, target);
        Code.HalfToFloat256(Temporary256, halves);
        Code.Multiply256(target, Temporary256, target);
    }

    /// <summary>Low nibbles are steps 0 to 3, high ones 4 to 7.</summary>
    protected void LoadNibbles(int target, Address vectors, int half, int step)
    {
        Code.Load256(target, vectors + (step % 4 * 64 + half * Register));
        if (step >= 4) Code.ShiftRight16By256(target, target, 4);
        Code.And256(target, target, Constant(LowMask));
    }

    /// <summary>Bits of each byte, moved left (or right), where <see cref="HighMask256"/> has them.</summary>
    protected void OrBits(int target, Address bits, int left)
    {
        Code.Load256(Shifted256, bits);
        if (left > 0) Code.ShiftLeft16By256(Shifted256, Shifted256, left);
        else if (left < 0) Code.ShiftRight16By256(Shifted256, Shifted256, -left);
        Code.And256(Shifted256, Shifted256, Constant(HighMask256));
        Code.Or256(target, target, Shifted256);
    }

    protected override void EmitConstants()
    {
        Fill(Ones, 0x00010001);
        Fill(LowMask, 0x0F0F0F0F);
    }

    protected override void ZeroResults()
    {
        Code.Zero256(Temporary256);
        for (int i = 0; i < 2 * Tokens; i++)
        {
            if (KeepsResults) Code.Zero256(2 * Tokens + i);
            else Code.Store256(Kept(i), Temporary256);
        }
    }

    protected override void StoreResult(Address target, int group, int token)
    {
        for (int half = 0; half < 2; half++)
        {
            int result = KeepsResults ? 2 * Tokens + SumOf(half, token) : Temporary256;
            if (!KeepsResults) Code.Load256(result, Kept(SumOf(half, token)));
            Code.Store256(target + half * Register, result);
        }
    }

    private void EmitVnniSums(int block, int firstStep, int steps)
    {
        for (int i = 0; i < 2 * Tokens; i++) Code.Zero256(i);
        for (int step = firstStep; step < firstStep + steps; step++)
        {
            for (int half = 0; half < 2; half++) LoadWeights(WeightsOfHalf + half, block, half, step);
            for (int token = 0; token < Tokens; token++)
            {
                Code.Broadcast256(Broadcast, Input(token, block, step));
                for (int half = 0; half < 2; half++)
                    Code.DotBytes256(SumOf(half, token), WeightsOfHalf + half, Broadcast, products == ByteProducts.Avx512VnniVl);
            }
        }
    }

    private void FinishSums(int block, int part)
    {
        for (int token = 0; token < Tokens; token++)
        {
            if (OffsetBits > 0)
            {
                Code.Broadcast256(Temporary256, InputOf(token) + (PartsPerBlock == 2 ? ByteInput.Sum16Offset(part) : ByteInput.SumOffset(block)));
                Code.ShiftLeft32By256(Temporary256, Temporary256, OffsetBits);
            }

            for (int half = 0; half < 2; half++)
            {
                int sum = SumOf(half, token);
                if (!HasVnni) WidenSum(sum);
                if (OffsetBits > 0) Code.AddInt32By256(sum, sum, Temporary256);
                Code.Int32ToFloat256(sum, sum);
            }
        }
    }

    private void AddScaled(int block, int part)
    {
        for (int half = 0; half < 2; half++)
        {
            EmitScale(ScaleOfHalf, half, part);
            if (HasMinimum) EmitMinimum(MinimumOfHalf, half, part);
            for (int token = 0; token < Tokens; token++)
            {
                int sum = SumOf(half, token), result = KeepsResults ? 2 * Tokens + sum : sum;
                Code.Broadcast256(Broadcast, InputOf(token) + ByteInput.ScaleOffset(block));
                Code.Multiply256(Temporary256, ScaleOfHalf, Broadcast);
                if (KeepsResults) Code.MultiplyAdd256(result, sum, Temporary256);
                else Code.MultiplyAndAdd256(sum, Temporary256, Kept(sum));
                if (HasMinimum)
                {
                    Code.Broadcast256(Broadcast, InputOf(token) + ByteInput.SumOffset(block));
                    Code.MultiplySubtract256(result, MinimumOfHalf, Broadcast);
                }

                if (!KeepsResults) Code.Store256(Kept(sum), result);
            }
        }
    }
}
