using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Handles;

namespace InferenceServer.Cpu;

/// <summary>The ops of a step: each checks its shapes once, then hands a preallocated job to the pool.</summary>
public sealed unsafe partial class CpuBackend
{
    private StepPlan? _plan;
    private CpuKvCache? _cache;
    private (CpuActivation Logits, StepPlan Plan)? _toSample;

    private StepPlan Plan => _plan ?? throw new InvalidOperationException("No step is open: call BeginStep first.");

    public void BeginStep(StepPlan plan, KvCache cache)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(plan);
        CpuKvCache own = Own<CpuKvCache>(cache);
        PlanCheck.Check(plan, own.Shape);
        (_plan, _cache) = (plan, own);
        for (int i = 0; i < plan.CopyCount; i++) CopyBlock(own, plan.Copies[i]);
        _attention.Prepare(plan);
    }

    public void Embed(Matrix table, Activation hidden)
    {
        StepPlan plan = Plan;
        CpuMatrix matrix = Own<CpuMatrix>(table);
        CpuActivation output = Own<CpuActivation>(hidden);
        if (matrix.Columns != output.Columns || plan.TokenCount > output.MaxRows)
            Refuse($"Embed: {plan.TokenCount} tokens of {matrix.Columns} columns do not fit the output {Shape(output)}.");
        PlanCheck.CheckTokenIds(plan, matrix.Rows);
        output.Rows = plan.TokenCount;
        _embed.Run(_pool, matrix, plan.TokenIds, output);
    }

    public void RmsNorm(Activation input, WeightVector gain, float epsilon, Activation output) =>
        Normalize(Own<CpuActivation>(input), null, Own<CpuVector>(gain), epsilon, Own<CpuActivation>(output));

    public void AddRmsNorm(Activation residual, Activation delta, WeightVector gain, float epsilon, Activation output)
    {
        CpuActivation sum = Own<CpuActivation>(residual), added = Own<CpuActivation>(delta);
        if (sum.Columns != added.Columns || sum.Rows != added.Rows)
            Refuse($"AddRmsNorm: the residual has {sum.Rows} rows of {sum.Columns} columns, the delta {added.Rows} of {added.Columns}.");
        Normalize(sum, added, Own<CpuVector>(gain), epsilon, Own<CpuActivation>(output));
    }

    public void Project(Activation input, Matrix weight, WeightVector? bias, Activation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CpuActivation from = Own<CpuActivation>(input), to = Own<CpuActivation>(output);
        CpuMatrix matrix = Own<CpuMatrix>(weight);
        CpuVector? added = bias is null ? null : Own<CpuVector>(bias);
        if (matrix.Columns != from.Columns || matrix.Rows != to.Columns || from.Rows > to.MaxRows || from == to)
            Refuse($"Project: {from.Rows} rows of the input {Shape(from)} through weights ({matrix.Rows}, {matrix.Columns}) do not fit the output {Shape(to)}, or input and output are one.");
        if (added is not null && added.Length != matrix.Rows)
            Refuse($"Project: the bias has {added.Length} elements, the weights {matrix.Rows} rows.");
        to.Rows = from.Rows;
        _project.Run(_pool, from, matrix, added, to);
    }

    public void RopeAndStoreKv(Activation qkv, AttentionShape shape, RopeTable rope, QkNorm? norm, KvCache cache, int layer)
    {
        StepPlan plan = Plan;
        CpuActivation rows = Own<CpuActivation>(qkv);
        CpuKvCache own = CheckAttention(rows, shape, cache, layer);
        CpuRopeTable table = Own<CpuRopeTable>(rope);
        if (table.RotaryDim > shape.HeadDim)
            Refuse($"RopeAndStoreKv: {table.RotaryDim} dimensions rotate; a head has {shape.HeadDim}.");
        if (norm is not null && (Own<CpuVector>(norm.QueryGain).Length != shape.HeadDim || Own<CpuVector>(norm.KeyGain).Length != shape.HeadDim))
            Refuse($"RopeAndStoreKv: the q/k norm has {norm.QueryGain.Length} and {norm.KeyGain.Length} gains; a head has {shape.HeadDim} dimensions.");
        PlanCheck.CheckPositions(plan, table.Positions);
        _rope.Run(_pool, rows, shape, table, norm, own, layer, plan);
    }

    public void PagedAttention(Activation qkv, AttentionShape shape, KvCache cache, int layer, Activation output)
    {
        StepPlan plan = Plan;
        CpuActivation rows = Own<CpuActivation>(qkv), to = Own<CpuActivation>(output);
        CpuKvCache own = CheckAttention(rows, shape, cache, layer);
        if (to.Columns != shape.QueryColumns || plan.TokenCount > to.MaxRows)
            Refuse($"PagedAttention: {plan.TokenCount} tokens of {shape.QueryColumns} columns do not fit the output {Shape(to)}.");
        to.Rows = plan.TokenCount;
        _attention.Run(_pool, rows, shape, own, layer, to);
    }

    public void GateUpSilu(Activation input, Matrix gateUp, Activation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CpuActivation from = Own<CpuActivation>(input), to = Own<CpuActivation>(output);
        CpuMatrix matrix = Own<CpuMatrix>(gateUp);
        if (matrix.Columns != from.Columns || matrix.Rows != 2 * to.Columns || from.Rows > to.MaxRows || from == to)
            Refuse($"GateUpSilu: {from.Rows} rows of the input {Shape(from)} through gate and up ({matrix.Rows}, {matrix.Columns}) do not fit the output {Shape(to)}, or input and output are one.");
        to.Rows = from.Rows;
        _gateUp.Run(_pool, from, matrix, to);
    }

    public void SelectRows(Activation hidden, Activation selected)
    {
        StepPlan plan = Plan;
        CpuActivation from = Own<CpuActivation>(hidden), to = Own<CpuActivation>(selected);
        if (from.Columns != to.Columns || plan.RowCount > to.MaxRows)
            Refuse($"SelectRows: {plan.RowCount} rows of {from.Columns} columns do not fit the output {Shape(to)}.");
        to.Rows = plan.RowCount;
        for (int row = 0; row < plan.RowCount; row++)
        {
            int token = plan.Rows[row].Token;
            if ((uint)token >= (uint)from.Rows) Refuse($"SelectRows: row {row} asks for token {token} of {from.Rows}.");
            new ReadOnlySpan<float>(from.Row(token), from.Columns).CopyTo(new Span<float>(to.Row(row), to.Columns));
        }
    }

    public void Sample(Activation logits)
    {
        StepPlan plan = Plan;
        CpuActivation rows = Own<CpuActivation>(logits);
        if (rows.Rows != plan.RowCount) Refuse($"Sample: the plan wants {plan.RowCount} rows; there are {rows.Rows} of logits.");
        _toSample = (rows, plan);
    }

    public void EndStep() => (_plan, _cache) = (null, null);

    /// <summary>Ops are done when they return; only the sampling is left, because here is where its results go.</summary>
    public void Collect(StepResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        if (_toSample is not { } sampled) return;
        _toSample = null;
        if (sampled.Plan.RowCount > result.Rows.Length)
            Refuse($"Collect: the plan has {sampled.Plan.RowCount} rows; there is room for {result.Rows.Length} results.");
        _sample.Run(_pool, sampled.Logits, sampled.Plan, result);
    }

    private void Normalize(CpuActivation input, CpuActivation? delta, CpuVector gain, float epsilon, CpuActivation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (input.Columns != output.Columns || gain.Length != input.Columns || input.Rows > output.MaxRows)
            Refuse($"RmsNorm: {input.Rows} rows of the input {Shape(input)}, {gain.Length} gains and the output {Shape(output)} do not fit.");
        output.Rows = input.Rows;
        _norm.Run(_pool, input, delta, gain, epsilon, output);
    }

    private CpuKvCache CheckAttention(CpuActivation qkv, AttentionShape shape, KvCache cache, int layer)
    {
        CpuKvCache own = Own<CpuKvCache>(cache);
        if (own != _cache) Refuse("Attention: the cache is not the one that BeginStep was given.");
        bool sound = shape is { Heads: > 0, Scale: > 0, Window: >= 0 } && shape.HeadDim % 2 == 0 && shape.Heads % own.Shape.KvHeads == 0;
        if (!sound || shape.KvHeads != own.Shape.KvHeads || shape.HeadDim != own.Shape.HeadDim)
            Refuse($"Attention: {shape} does not fit {own.Shape}; heads must be a multiple of KV heads, the head size even, the scale positive.");
        if ((uint)layer >= (uint)own.Shape.Layers) Refuse($"Attention: layer {layer} of a cache of {own.Shape.Layers}.");
        if (qkv.Columns != shape.QkvColumns || qkv.Rows != Plan.TokenCount)
            Refuse($"Attention: qkv has {qkv.Rows} rows of {qkv.Columns} columns; the step needs {Plan.TokenCount} of {shape.QkvColumns}.");
        return own;
    }

    private static void CopyBlock(CpuKvCache cache, BlockCopy copy)
    {
        long bytes = cache.BlockBytes * cache.Shape.Layers;
        Buffer.MemoryCopy(cache.Block(0, copy.Source), cache.Block(0, copy.Destination), bytes, bytes);
    }

    private static string Shape(Activation activation) => $"({activation.MaxRows}, {activation.Columns})";
}
