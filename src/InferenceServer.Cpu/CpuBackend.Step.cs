using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Handles;

namespace InferenceServer.Cpu;

/// <summary>The ops of a step: each checks its shapes once, then hands a preallocated job to the pool.</summary>
public sealed unsafe partial class CpuBackend
{
    private StepPlan? _plan;
    private CpuKvCache? _cache;

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
        if (!(matrix.Columns == output.Columns && plan.TokenCount <= output.MaxRows))
            Refuse("Embed: the table's columns and the step's tokens must fit the output.");
        for (int t = 0; t < plan.TokenCount; t++)
        {
            if ((uint)plan.TokenIds[t] >= (uint)matrix.Rows)
                throw new ArgumentException($"Step {plan.StepIndex}: token {t} has id {plan.TokenIds[t]}; the vocabulary has {matrix.Rows}.");
        }

        output.Rows = plan.TokenCount;
        _embed.Run(_pool, matrix, plan.TokenIds, output);
    }

    public void RmsNorm(Activation input, WeightVector gain, float epsilon, Activation output) =>
        Normalize(Own<CpuActivation>(input), null, Own<CpuVector>(gain), epsilon, Own<CpuActivation>(output));

    public void AddRmsNorm(Activation residual, Activation delta, WeightVector gain, float epsilon, Activation output)
    {
        CpuActivation sum = Own<CpuActivation>(residual), added = Own<CpuActivation>(delta);
        if (!(sum.Columns == added.Columns && sum.Rows == added.Rows))
            Refuse("AddRmsNorm: residual and delta must have one shape.");
        Normalize(sum, added, Own<CpuVector>(gain), epsilon, Own<CpuActivation>(output));
    }

    public void Project(Activation input, Matrix weight, WeightVector? bias, Activation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CpuActivation from = Own<CpuActivation>(input), to = Own<CpuActivation>(output);
        CpuMatrix matrix = Own<CpuMatrix>(weight);
        CpuVector? added = bias is null ? null : Own<CpuVector>(bias);
        if (!(from != to))
            Refuse("Project: output must not be its own input.");
        if (!(matrix.Columns == from.Columns && matrix.Rows == to.Columns && from.Rows <= to.MaxRows && (added is null || added.Length == matrix.Rows)))
            Refuse($"Project: input ({from.Rows}, {from.Columns}) x weight ({matrix.Rows}, {matrix.Columns})^T does not fit output ({to.MaxRows}, {to.Columns}) or the bias.");
        to.Rows = from.Rows;
        _project.Run(_pool, from, matrix, added, to);
    }

    public void RopeAndStoreKv(Activation qkv, AttentionShape shape, RopeTable rope, QkNorm? norm, KvCache cache, int layer)
    {
        StepPlan plan = Plan;
        CpuActivation rows = Own<CpuActivation>(qkv);
        CpuKvCache own = CheckAttention(rows, shape, cache, layer);
        CpuRopeTable table = Own<CpuRopeTable>(rope);
        if (!(table.RotaryDim <= shape.HeadDim))
            Refuse("RopeAndStoreKv: more dimensions rotate than a head has.");
        if (!(norm is null || (Own<CpuVector>(norm.QueryGain).Length == shape.HeadDim && Own<CpuVector>(norm.KeyGain).Length == shape.HeadDim)))
            Refuse("RopeAndStoreKv: the gains of the q/k norm must have HeadDim elements.");
        for (int t = 0; t < plan.TokenCount; t++)
        {
            if (plan.Positions[t] >= table.Positions)
                throw new ArgumentException($"Step {plan.StepIndex}: token {t} is at position {plan.Positions[t]}; the rotary table has {table.Positions}.");
        }

        _rope.Run(_pool, rows, shape, table, norm, own, layer, plan);
    }

    public void PagedAttention(Activation qkv, AttentionShape shape, KvCache cache, int layer, Activation output)
    {
        StepPlan plan = Plan;
        CpuActivation rows = Own<CpuActivation>(qkv), to = Own<CpuActivation>(output);
        CpuKvCache own = CheckAttention(rows, shape, cache, layer);
        if (!(to.Columns == shape.QueryColumns && plan.TokenCount <= to.MaxRows))
            Refuse("PagedAttention: output must be (tokens, QueryColumns).");
        to.Rows = plan.TokenCount;
        _attention.Run(_pool, _kernels, rows, shape, own, layer, to);
    }

    public void GateUpSilu(Activation input, Matrix gateUp, Activation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CpuActivation from = Own<CpuActivation>(input), to = Own<CpuActivation>(output);
        CpuMatrix matrix = Own<CpuMatrix>(gateUp);
        if (!(from != to))
            Refuse("GateUpSilu: output must not be its own input.");
        if (!(matrix.Columns == from.Columns && matrix.Rows == 2 * to.Columns && from.Rows <= to.MaxRows))
            Refuse($"GateUpSilu: input ({from.Rows}, {from.Columns}) x gate and up ({matrix.Rows}, {matrix.Columns})^T does not fit output ({to.MaxRows}, {to.Columns}).");
        to.Rows = from.Rows;
        _gateUp.Run(_pool, from, matrix, to);
    }

    public void SelectRows(Activation hidden, Activation selected)
    {
        StepPlan plan = Plan;
        CpuActivation from = Own<CpuActivation>(hidden), to = Own<CpuActivation>(selected);
        if (!(from.Columns == to.Columns && plan.RowCount <= to.MaxRows))
            Refuse("SelectRows: the step's rows must fit the output.");
        to.Rows = plan.RowCount;
        for (int row = 0; row < plan.RowCount; row++)
        {
            int token = plan.Rows[row].Token;
            if (!((uint)token < (uint)from.Rows))
            Refuse("SelectRows: a row asks for a token beyond the step.");
            new ReadOnlySpan<float>(from.Row(token), from.Columns).CopyTo(new Span<float>(to.Row(row), to.Columns));
        }
    }

    public void Sample(Activation logits, StepResult result)
    {
        StepPlan plan = Plan;
        ArgumentNullException.ThrowIfNull(result);
        CpuActivation rows = Own<CpuActivation>(logits);
        if (!(rows.Rows == plan.RowCount && plan.RowCount <= result.Rows.Length))
            Refuse("Sample: one logits row and one result per row of the plan.");
        _sample.Run(_pool, rows, plan, result);
    }

    /// <summary>Nothing to wait for: ops are done when they return.</summary>
    public void EndStep() => (_plan, _cache) = (null, null);

    private void Normalize(CpuActivation input, CpuActivation? delta, CpuVector gain, float epsilon, CpuActivation output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!(input.Columns == output.Columns && gain.Length == input.Columns && input.Rows <= output.MaxRows))
            Refuse($"RmsNorm: input ({input.Rows}, {input.Columns}), gain ({gain.Length}) and output ({output.MaxRows}, {output.Columns}) do not fit.");
        output.Rows = input.Rows;
        _norm.Run(_pool, input, delta, gain, epsilon, output);
    }

    private CpuKvCache CheckAttention(CpuActivation qkv, AttentionShape shape, KvCache cache, int layer)
    {
        CpuKvCache own = Own<CpuKvCache>(cache);
        if (!(own == _cache))
            Refuse("Attention: the cache must be the one that BeginStep was given.");
        if (!(shape.KvHeads == own.Shape.KvHeads && shape.HeadDim == own.Shape.HeadDim && shape.Heads > 0 && shape.Heads % shape.KvHeads == 0 && shape.HeadDim % 2 == 0 && shape.Scale > 0 && shape.Window >= 0))
            Refuse($"Attention: {shape} does not fit the cache {own.Shape}; heads must be a multiple of KV heads, the head size even, the scale positive.");
        if (!((uint)layer < (uint)own.Shape.Layers))
            Refuse("Attention: the cache has fewer layers.");
        if (!(qkv.Columns == shape.QkvColumns && qkv.Rows == Plan.TokenCount))
            Refuse("Attention: qkv must be (tokens, QkvColumns).");
        return own;
    }

    private static void CopyBlock(CpuKvCache cache, BlockCopy copy)
    {
        long bytes = cache.BlockFloats * sizeof(float);
        for (int layer = 0; layer < cache.Shape.Layers; layer++)
            Buffer.MemoryCopy(cache.Block(layer, copy.Source), cache.Block(layer, copy.Destination), bytes, bytes);
    }
}
