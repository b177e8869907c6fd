using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Steps;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.GpuBench.Probes;

/// <summary>One layer's attention: decode by the bandwidth at which it reads keys and values, prefill by its arithmetic.</summary>
internal static class AttentionProbe
{
    public static void RunDecode(ProbeDevice device, ResultLog log, TimeBudget budget)
    {
        ProbeSizes sizes = device.Sizes;
        ModelShape shape = sizes.Shape;
        int most = sizes.DecodeBatches.Max(), items = AttentionWork.MaxDecode(most, shape.KvHeads, device.Context.SmCount);
        using AttentionBuffers buffers = new(device, most, most, (long)most * sizes.DecodeContexts.Max(), items);
        AttentionDecodeKernel kernel = new(device.Kernels, ElementType.BF16, shape.HeadDim, shape.Heads / shape.KvHeads);
        foreach (int context in sizes.DecodeContexts)
            foreach (int batch in sizes.DecodeBatches)
            {
                string what = $"decode attention, batch {batch}, context {context}";
                if (budget.Allows(what, log) && !log.Try(what, () => MeasureDecode(device, buffers, kernel, batch, context, log)) && device.IsLost()) return;
            }
    }

    public static void RunPrefill(ProbeDevice device, ResultLog log, TimeBudget budget)
    {
        ProbeSizes sizes = device.Sizes;
        int most = sizes.PrefillLengths.Max();
        using AttentionBuffers buffers = new(device, most, 1, most, AttentionWork.MaxPrefill(most, 1));
        AttentionPrefillKernel kernel = new(device.Kernels, ElementType.BF16, sizes.Shape.HeadDim);
        foreach (int length in sizes.PrefillLengths)
        {
            string what = $"prefill attention, {length} tokens";
            if (budget.Allows(what, log) && !log.Try(what, () => MeasurePrefill(device, buffers, kernel, length, log)) && device.IsLost()) return;
        }
    }

    private static void MeasureDecode(ProbeDevice device, AttentionBuffers buffers, AttentionDecodeKernel kernel, int batch, int context, ResultLog log)
    {
        ModelShape shape = device.Sizes.Shape;
        StepPlan plan = AttentionBuffers.Plan(batch, context, 1);
        AttentionWork work = new(batch, batch, shape.KvHeads, device.Context.SmCount);
        work.Plan(plan, AttentionBuffers.TableOffsets(plan));
        buffers.Send(plan, work.DecodeItems);
        int items = work.DecodeItems.Length;
        double seconds = device.Timer.Seconds(i =>
        {
            (ulong keys, ulong values) = buffers.Cache(plan, i);
            kernel.Launch(device.Stream, new DecodeParams
            {
                Qkv = buffers.Qkv,
                KCache = keys,
                VCache = values,
                Tables = buffers.Tables,
                Items = buffers.Items,
                ItemCount = buffers.ItemCount,
                PartialOut = buffers.PartialOut,
                PartialMl = buffers.PartialMl,
                Counters = buffers.Counters,
                Out = buffers.Out,
                QkvStride = shape.QkvRows,
                OutStride = shape.Heads * shape.HeadDim,
                Heads = shape.Heads,
                KvHeads = shape.KvHeads,
                HeadDim = shape.HeadDim,
                BlockShift = AttentionBuffers.BlockShift,
                ScaleLog2 = ScaleLog2(shape),
            }, items);
        });
        double bytes = (double)shape.KvBytesPerToken / shape.Layers * batch * context;
        log.Write("decode attention", ("batch", batch), ("context", context), ("items", items), ("us a layer", seconds * 1e6), ("GB/s", bytes / seconds * 1e-9));
    }

    private static void MeasurePrefill(ProbeDevice device, AttentionBuffers buffers, AttentionPrefillKernel kernel, int length, ResultLog log)
    {
        ModelShape shape = device.Sizes.Shape;
        StepPlan plan = AttentionBuffers.Plan(1, length, length);
        AttentionWork work = new(length, 1, shape.KvHeads, device.Context.SmCount);
        work.Plan(plan, AttentionBuffers.TableOffsets(plan));
        buffers.Send(plan, work.PrefillItems);
        int items = work.PrefillItems.Length;
        double seconds = device.Timer.Seconds(i =>
        {
            (ulong keys, ulong values) = buffers.Cache(plan, i);
            kernel.Launch(device.Stream, new PrefillParams
            {
                Qkv = buffers.Qkv,
                KCache = keys,
                VCache = values,
                Tables = buffers.Tables,
                Items = buffers.Items,
                Out = buffers.Out,
                QkvStride = shape.QkvRows,
                OutStride = shape.Heads * shape.HeadDim,
                Heads = shape.Heads,
                KvHeads = shape.KvHeads,
                HeadDim = shape.HeadDim,
                BlockShift = AttentionBuffers.BlockShift,
                ScaleLog2 = ScaleLog2(shape),
            }, items);
        });

        // Two products of a query with each key before it and its own.
        double flops = 4.0 * shape.Heads * shape.HeadDim * ((double)length * (length + 1) / 2);
        log.Write("prefill attention", ("tokens", length), ("items", items), ("us a layer", seconds * 1e6), ("TFLOP/s", flops / seconds * 1e-12));
    }

    private static float ScaleLog2(ModelShape shape) => (float)(Math.Log2(Math.E) / Math.Sqrt(shape.HeadDim));
}
