using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// All sections of a matrix, split between threads as the products split it, for a page lies on the memory node of the thread that touches it first.
/// Items: groups, or pairs of a gate's group and its up's. Shares are those of a step of few tokens, which is as fast as weights are read; with
/// many tokens (chunks of other sizes) a share begins at most eight groups elsewhere. Placement is best effort: when a share's owner is late, a thread of
/// another node may repack some of it, whose pages then lie there. Pages are the grain: under 2 MB pages a share's edge may lie on its neighbour's node,
/// which is a large part of a matrix of a few MB only.
/// </summary>
/// <param name="matrix">Its memory is there, not yet filled.</param>
/// <param name="jobs">One a section; null for one that came from the weights cache.</param>
internal sealed class RepackMatrixJob(CpuMatrix matrix, RepackJob?[] jobs) : ParallelJob
{
    private int _items;

    /// <param name="pool">Which will multiply by this matrix too.</param>
    /// <param name="halves">Item i is group i and group i of the second half, which <see cref="GateUpJob"/> reads together.</param>
    public void Run(ForkJoinPool pool, bool halves)
    {
        _items = halves ? Math.Max(1, GateUpJob.Groups(matrix)) : matrix.Groups;
        pool.Run(this, _items, LinearLayer.GroupsTogether, (long)matrix.Rows * matrix.Columns);
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int first = 0; first < matrix.Groups; first += _items) Repack(first + begin, first + end, worker);
    }

    private void Repack(int begin, int end, int worker)
    {
        for (int i = 0; i < jobs.Length; i++)
        {
            if (jobs[i] is not { } job) continue;
            MatrixSection section = matrix.Sections[i];
            int from = Math.Max(begin - section.FirstGroup, 0), to = Math.Min(end - section.FirstGroup, section.Groups);
            if (from < to) job.Execute(from, to, worker);
        }
    }
}
