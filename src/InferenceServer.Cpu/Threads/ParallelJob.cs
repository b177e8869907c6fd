namespace InferenceServer.Cpu.Threads;

/// <summary>
/// Work over items 0..n that may run on several threads at once. Allocated once and refilled: its fields are set before
/// <see cref="ForkJoinPool.Run"/> and only read while it runs.
/// </summary>
internal abstract class ParallelJob
{
    /// <summary>
    /// Items cost alike, and long runs of them are faster: a thread claims half of what its share has left, down to whole chunks. Claims between chunks wait
    /// for all reads under way, which a stream from memory feels.
    /// </summary>
    public virtual bool Tapers => false;

    /// <param name="begin">First item.</param>
    /// <param name="end">One past the last item.</param>
    /// <param name="worker">Which of the pool's threads runs it, 0 = the caller: indexes per-thread scratch.</param>
    public abstract void Execute(int begin, int end, int worker);
}
