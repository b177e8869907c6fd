using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Handles;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda;

/// <summary>The ops of a step: each checks its shapes once, then enqueues a kernel or two. In a replayed step they only check.</summary>
public sealed partial class CudaBackend
{
    /// <summary>Query heads that share a key head: attention's kernels are written for at most this many.</summary>
    private const int MaxGroup = 16;

    private const float Log2E = 1.44269504f; // kernels exponentiate to base 2

    public void Embed(Matrix table, Activation hidden)
    {
        StepPlan plan = Plan;
        CudaMatrix matrix = Own<CudaMatrix>(table);
        CudaActivation output = Own<CudaActivation>(hidden);
        int rows = Padded(plan.TokenCount);
        if (matrix.Columns != output.Columns || rows > output.MaxRows || output.Use != ActivationUse.Residual)
            Refuse($"Embed: {rows} tokens of {matrix.Columns} columns do not fit the output {output}, which must be the residual stream.");
        StepSlot before = _slots[_next ^ 1];
        PlanCheck.CheckTokenIds(plan, matrix.Rows, before.Fed.AsSpan(0, before.RowsSampled));
        output.Rows = plan.TokenCount;
        if (!Launches(1, output)) return;
        _kernels.Embed(new EmbedParams
        {
            Table = matrix.Address,
            TokenIds = Input(StepLayout.TokenIds),
            Feed = Buffers.Feed,
            Resolved = Buffers.Resolved,
            Out = output.Address,
            Columns = matrix.Columns,
            TableStride = matrix.Stride,
            OutStride = output.Stride,
            Vocabulary = matrix.Rows,
        }, rows);
    }

    public void RmsNorm(Activation input, WeightVector gain, float epsilon, Activation output) =>
        Normalize(Own<CudaActivation>(input), null, Own<CudaVector>(gain), epsilon, Own<CudaActivation>(output));

    public void AddRmsNorm(Activation residual, Activation delta, WeightVector gain, float epsilon, Activation output)
    {
        CudaActivation sum = Own<CudaActivation>(residual), added = Own<CudaActivation>(delta);
        if (sum.Columns != added.Columns || sum.Rows != added.Rows || added.IsF32)
            Refuse($"AddRmsNorm: the residual has {sum.Rows} rows of {sum.Columns} columns, the delta, which must be narrow, {added.Rows} of {added.Columns}.");
        Normalize(sum, added, Own<CudaVector>(gain), epsilon, Own<CudaActivation>(output));
    }

    public void Project(Activation input, Matrix weight, WeightVector? bias, Activation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CudaActivation from = Own<CudaActivation>(input), to = Own<CudaActivation>(output);
        CudaMatrix matrix = Own<CudaMatrix>(weight);
        CudaVector? added = bias is null ? null : Own<CudaVector>(bias);
        int rows = Padded(from.Rows);
        if (matrix.Columns != from.Columns || matrix.Rows != to.Columns || rows > to.MaxRows || from == to || from.IsF32)
            Refuse($"Project: {rows} rows of the input {from} through weights ({matrix.Rows}, {matrix.Columns}) do not fit the output {to}, or the input is not narrow, or input and output are one.");
        if (added is not null && added.Length != matrix.Rows)
            Refuse($"Project: the bias has {added.Length} elements, the weights {matrix.Rows} rows.");
        to.Rows = from.Rows;
        if (!Launches(2, to) || rows == 0) return;
        _kernels.Linear(new LinearParams
        {
            X = from.Address,
            W = matrix.Address,
            Bias = added?.Address ?? 0,
            Y = to.Address,
            M = rows,
            N = matrix.Rows,
            K = matrix.Columns,
            XStride = from.Stride,
            WStride = matrix.Stride,
            YStride = to.Stride,
            YF32 = to.IsF32 ? 1 : 0,
            Splits = 1,
        });
    }

    public void RopeAndStoreKv(Activation qkv, AttentionShape shape, RopeTable rope, QkNorm? norm, KvCache cache, int layer)
    {
        StepPlan plan = Plan;
        CudaActivation rows = Own<CudaActivation>(qkv);
        CudaKvCache own = CheckAttention(rows, shape, cache, layer);
        CudaRopeTable table = Own<CudaRopeTable>(rope);
        if (table.RotaryDim > shape.HeadDim)
            Refuse($"RopeAndStoreKv: {table.RotaryDim} dimensions rotate; a head has {shape.HeadDim}.");
        CudaVector? query = norm is null ? null : Own<CudaVector>(norm.QueryGain), key = norm is null ? null : Own<CudaVector>(norm.KeyGain);
        if (query is not null && (query.Length != shape.HeadDim || key!.Length != shape.HeadDim))
            Refuse($"RopeAndStoreKv: the q/k norm has {query.Length} and {key!.Length} gains; a head has {shape.HeadDim} dimensions.");
        PlanCheck.CheckPositions(plan, table.Positions);
        if (!Launches(3, rows)) return;
        _kernels.Rope(new RopeParams
        {
            Qkv = rows.Address,
            Cosines = table.Cosines,
            Sines = table.Sines,
            Positions = Input(Slot.Layout.Positions),
            Slots = Input(Slot.Layout.Slots),
            KCache = own.Keys(layer),
            VCache = own.Values(layer),
            QGain = query?.Address ?? 0,
            KGain = key?.Address ?? 0,
            Epsilon = norm?.Epsilon ?? 0,
            Tokens = Padded(plan.TokenCount),
            Heads = shape.Heads,
            KvHeads = shape.KvHeads,
            HeadDim = shape.HeadDim,
            RotaryDim = table.RotaryDim,
            QkvStride = rows.Stride,
            BlockShift = own.BlockShift,
        });
    }

    public void PagedAttention(Activation qkv, AttentionShape shape, KvCache cache, int layer, Activation output)
    {
        StepPlan plan = Plan;
        CudaActivation rows = Own<CudaActivation>(qkv), to = Own<CudaActivation>(output);
        CudaKvCache own = CheckAttention(rows, shape, cache, layer);
        if (to.Columns != shape.QueryColumns || Padded(plan.TokenCount) > to.MaxRows || to.IsF32)
            Refuse($"PagedAttention: {Padded(plan.TokenCount)} tokens of {shape.QueryColumns} columns do not fit the output {to}, which must be narrow.");
        to.Rows = plan.TokenCount;
        if (!Launches(4, to)) return;
        Decode(rows, shape, own, layer, to);
        Prefill(rows, shape, own, layer, to);
    }

    public void GateUpSilu(Activation input, Matrix gateUp, Activation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CudaActivation from = Own<CudaActivation>(input), to = Own<CudaActivation>(output);
        CudaMatrix matrix = Own<CudaMatrix>(gateUp);
        int rows = Padded(from.Rows);
        if (matrix.Columns != from.Columns || matrix.Rows != 2 * to.Columns || rows > to.MaxRows || from == to || from.IsF32 || to.IsF32)
            Refuse($"GateUpSilu: {rows} rows of the input {from} through gate and up ({matrix.Rows}, {matrix.Columns}) do not fit the output {to}, or they are not narrow, or input and output are one.");
        to.Rows = from.Rows;
        if (!Launches(5, to) || rows == 0) return;
        _kernels.GateUp(new GateUpParams
        {
            X = from.Address,
            W = matrix.Address,
            Y = to.Address,
            M = rows,
            Intermediate = to.Columns,
            K = matrix.Columns,
            XStride = from.Stride,
            WStride = matrix.Stride,
            YStride = to.Stride,
        });
    }

    public void SelectRows(Activation hidden, Activation selected)
    {
        StepPlan plan = Plan;
        CudaActivation from = Own<CudaActivation>(hidden), to = Own<CudaActivation>(selected);
        int rows = Padded(plan.RowCount);
        if (from.Columns != to.Columns || rows > to.MaxRows || from.IsF32 != to.IsF32 || from == to || from.Rows != plan.TokenCount)
            Refuse($"SelectRows: {rows} rows of {from.Columns} columns do not fit the output {to}, or differ from it in type, or the input {from} holds {from.Rows} rows for {plan.TokenCount} tokens.");
        to.Rows = plan.RowCount;
        if (!Launches(6, to) || rows == 0) return;
        _kernels.SelectRows(new SelectParams
        {
            In = from.Address,
            Out = to.Address,
            Tokens = Input(Slot.Layout.RowTokens),
            Bytes = from.RowBytes,
            InStride = from.RowBytes,
            OutStride = to.RowBytes,
        }, rows);
    }

    public void Sample(Activation logits)
    {
        StepPlan plan = Plan;
        CudaActivation own = Own<CudaActivation>(logits);
        if (own.Rows != plan.RowCount) Refuse($"Sample: the plan wants {plan.RowCount} rows; there are {own.Rows} of logits.");
        if (own.Use != ActivationUse.Logits || own.Columns != Buffers.Vocabulary)
            Refuse($"Sample: {own} is not the buffer of {Buffers.Vocabulary} logits a row that this step was laid out for.");
        if (plan.RowCount == 0) return;
        _logits = own;
        if (!Launches(7, own)) return;
        _kernels.Sample(new SampleParams
        {
            Logits = own.Address,
            Rows = Input(Slot.Layout.SampleRows),
            Edits = Buffers.Input,
            Masks = Buffers.Input,
            Resolved = Buffers.Resolved,
            Results = Buffers.Results,
            Feed = Buffers.Feed,
            Vocabulary = own.Columns,
            LogitsStride = own.Stride,
        }, Padded(plan.RowCount));
    }

    private void Normalize(CudaActivation input, CudaActivation? delta, CudaVector gain, float epsilon, CudaActivation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int rows = Padded(input.Rows);
        if (input.Columns != output.Columns || gain.Length != input.Columns || rows > output.MaxRows || input.Use != ActivationUse.Residual || output.IsF32)
            Refuse($"RmsNorm: {rows} rows of the input {input}, which must be the residual stream, {gain.Length} gains and the output {output}, which must be narrow, do not fit.");
        output.Rows = input.Rows;
        if (!Launches(delta is null ? 8 : 9, output) || rows == 0) return;
        _kernels.Norm(new NormParams
        {
            Residual = input.Address,
            Delta = delta?.Address ?? 0,
            Gain = gain.Address,
            Out = output.Address,
            Columns = input.Columns,
            ResidualStride = input.Stride,
            DeltaStride = delta?.Stride ?? 0,
            OutStride = output.Stride,
            Epsilon = epsilon,
        }, rows);
    }

    /// <summary>Tokens with few keys' work each. In a bucket it is launched even when this step has none: the grid belongs to the bucket, the count is data.</summary>
    private void Decode(CudaActivation qkv, AttentionShape shape, CudaKvCache cache, int layer, CudaActivation output)
    {
        if (_bucket == 0 && Buffers.Work.DecodeItems.Length == 0) return;
        (ulong partialOut, ulong partialMl, ulong counters) = Buffers.AttentionScratch(_workspace, _stream, shape.Heads);
        _kernels.Decode(new DecodeParams
        {
            Qkv = qkv.Address,
            KCache = cache.Keys(layer),
            VCache = cache.Values(layer),
            Tables = Buffers.Input,
            Items = Input(Slot.Layout.DecodeItems),
            ItemCount = Input(Slot.Layout.ItemCount),
            PartialOut = partialOut,
            PartialMl = partialMl,
            Counters = counters,
            Out = output.Address,
            QkvStride = qkv.Stride,
            OutStride = output.Stride,
            Heads = shape.Heads,
            KvHeads = shape.KvHeads,
            HeadDim = shape.HeadDim,
            BlockShift = cache.BlockShift,
            Window = shape.Window,
            ScaleLog2 = shape.Scale * Log2E,
        }, Buffers.Work.Walkers(_bucket));
    }

    private void Prefill(CudaActivation qkv, AttentionShape shape, CudaKvCache cache, int layer, CudaActivation output)
    {
        int items = Buffers.Work.PrefillItems.Length;
        if (items == 0) return;
        _kernels.Prefill(new PrefillParams
        {
            Qkv = qkv.Address,
            KCache = cache.Keys(layer),
            VCache = cache.Values(layer),
            Tables = Buffers.Input,
            Items = Input(Buffers.Writer.Offsets.PrefillItems),
            Out = output.Address,
            QkvStride = qkv.Stride,
            OutStride = output.Stride,
            Heads = shape.Heads,
            KvHeads = shape.KvHeads,
            HeadDim = shape.HeadDim,
            BlockShift = cache.BlockShift,
            Window = shape.Window,
            ScaleLog2 = shape.Scale * Log2E,
        }, items);
    }

    private CudaKvCache CheckAttention(CudaActivation qkv, AttentionShape shape, KvCache cache, int layer)
    {
        CudaKvCache own = Own<CudaKvCache>(cache);
        if (own != _cache) Refuse("Attention: the cache is not the one that BeginStep was given.");
        bool sound = shape is { Heads: > 0, Scale: > 0, Window: >= 0 } && shape.Heads % own.Shape.KvHeads == 0;
        if (!sound || shape.KvHeads != own.Shape.KvHeads || shape.HeadDim != own.Shape.HeadDim)
            Refuse($"Attention: {shape} does not fit {own.Shape}; heads must be a multiple of KV heads, the scale positive.");
        if (shape.Heads / shape.KvHeads > MaxGroup)
            Refuse($"The GPU kernels share a key head between at most {MaxGroup} query heads, and this model has {shape.Heads / shape.KvHeads}; serve it with --device cpu.");
        if ((uint)layer >= (uint)own.Shape.Layers) Refuse($"Attention: layer {layer} of a cache of {own.Shape.Layers}.");
        if (qkv.Columns != shape.QkvColumns || qkv.Rows != Plan.TokenCount || qkv.IsF32)
            Refuse($"Attention: qkv has {qkv.Rows} rows of {qkv.Columns} columns; the step needs {Plan.TokenCount} narrow ones of {shape.QkvColumns}.");
        return own;
    }

    /// <summary>The device's address of an input of the step.</summary>
    private ulong Input(int offset) => Buffers.Input + (ulong)offset;
}
