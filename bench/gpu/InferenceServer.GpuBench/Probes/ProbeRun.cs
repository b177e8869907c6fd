namespace InferenceServer.GpuBench.Probes;

/// <summary>All probes, the ceilings first. To add one: a class like BandwidthProbe, and a line here.</summary>
internal static class ProbeRun
{
    public static void Run(ProbeDevice device, ResultLog log, TimeBudget budget)
    {
        (string Name, Action<ProbeDevice, ResultLog, TimeBudget> Measure)[] probes =
        [
            ("bandwidth", (d, l, _) => BandwidthProbe.Run(d, l)),
            ("empty kernels", (d, l, _) => EmptyKernelProbe.Run(d, l)),
            ("GEMV", (d, l, _) => GemvProbe.Run(d, l)),
            ("products", ProductProbe.Run),
            ("decode attention", AttentionProbe.RunDecode),
            ("prefill attention", AttentionProbe.RunPrefill),
        ];
        foreach ((string name, Action<ProbeDevice, ResultLog, TimeBudget> measure) in probes)
        {
            if (budget.Allows(name, log))
            {
                log.Try(name, () => measure(device, log, budget));
                device.Recover();
            }
        }
    }
}
