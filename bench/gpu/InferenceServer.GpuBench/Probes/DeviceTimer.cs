using InferenceServer.Cuda.Driver;

namespace InferenceServer.GpuBench.Probes;

/// <summary>
/// Device time of a piece of work: between two events around a graph that repeats it, the median of some rounds after a warm-up.
/// In a graph the host's launches do not count, which is how the engine runs its kernels too.
/// </summary>
internal sealed class DeviceTimer(CudaStream stream, ProbeSizes sizes) : IDisposable
{
    private const int MostRepeats = 200;

    private readonly CudaEvent _begin = new(stream.Context, timing: true), _end = new(stream.Context, timing: true);

    /// <param name="work">Enqueues one piece; its number lets it rotate among buffers, so that caches do not answer. It must not wait.</param>
    /// <returns>Seconds a piece.</returns>
    public double Seconds(Action<int> work)
    {
        work(0); // outside of a capture: modules load and attributes are set here
        stream.Synchronize();
        double single = Round(() => work(0));
        int repeats = sizes.SecondsARound == 0 ? 1 : (int)Math.Clamp(sizes.SecondsARound / Math.Max(single, 1e-6), 1, MostRepeats);
        using CudaGraph graph = CudaGraph.Capture(stream, () =>
        {
            for (int i = 0; i < repeats; i++) work(i);
        });
        return Median(() => graph.Launch(stream)) / repeats;
    }

    /// <summary>Seconds of what <paramref name="enqueue"/> enqueues, as it is.</summary>
    public double Median(Action enqueue)
    {
        Round(enqueue);
        double[] rounds = new double[sizes.Rounds];
        for (int i = 0; i < rounds.Length; i++) rounds[i] = Round(enqueue);
        Array.Sort(rounds);
        return rounds[rounds.Length / 2];
    }

    public void Dispose()
    {
        _begin.Dispose();
        _end.Dispose();
    }

    private double Round(Action enqueue)
    {
        _begin.Record(stream);
        enqueue();
        _end.Record(stream);
        _end.Synchronize();
        return _end.MillisecondsSince(_begin) * 1e-3;
    }
}
