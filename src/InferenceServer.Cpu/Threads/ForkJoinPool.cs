using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Threads;

/// <summary>
/// A fork-join pool for jobs of microseconds. One caller at a time hands out a job. Each thread owns a share of its items, contiguous and the same in every
/// job of that size: it walks through memory in one direction, ahead of it prefetches that pay, and finds in its cache what it left there. It claims chunks
/// of its share, or half of what is left of it (<see cref="ParallelJob.Tapers"/>), then of the others' (those of its own memory node first), with one compare-and-swap on a word a share that holds (epoch, next item), so
/// that a worker which wakes late simply finds nothing left and the caller never waits for it. Workers spin for a while, because the next op of a step
/// comes within microseconds, then park: an idle server burns no CPU. Where there are several memory nodes threads keep to theirs (<see cref="ThreadPlacement"/>), so that what a share's owner wrote
/// first, and the system therefore put beside it, is read from there. Nothing is allocated while running. An exception in any chunk is rethrown to the caller
/// after all chunks have ended.
/// </summary>
internal sealed class ForkJoinPool : IDisposable
{
    /// <summary>Multiply-adds below which waking a neighbour costs more than it saves: about 3 us of one core.</summary>
    public const long MinParallelWork = 64 * 1024;

    /// <summary>About 60-180 us, measured: longer than the gaps between the ops of a step, shorter than a wake-up is worth.</summary>
    private const int SpinsBeforeParking = 4000;

    /// <summary>After the spins: on an oversubscribed machine the thread we wait for needs our core.</summary>
    private const int YieldsBeforeParking = 64;

    private const int Closed = int.MaxValue;

    /// <summary>The pool to whose thread 0 this thread has settled.</summary>
    [ThreadStatic]
    private static ForkJoinPool? _settled;

    private readonly Thread[] _workers;
    private readonly ThreadPlacement _placement;
    private readonly long _minParallelWork;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _joined = new(0);
    private ParallelJob? _job;
    private ExceptionDispatchInfo? _fault;
    private int _items;
    private int _chunk;
    private readonly ShareWord[] _shares; // of the caller, then of the workers
    private long _epoch;
    private int _itemsDone;
    private int _parked;
    private int _callerParked;
    private volatile bool _stopping;

    /// <param name="threads">Workers plus the caller.</param>
    /// <param name="minParallelWork">Tests set 0, so that small jobs cross threads too.</param>
    /// <param name="placement">Of as many threads; null: they run anywhere.</param>
    public ForkJoinPool(int threads, long minParallelWork = MinParallelWork, ThreadPlacement? placement = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _placement = placement ?? ThreadPlacement.Anywhere(threads);
        ArgumentOutOfRangeException.ThrowIfNotEqual(_placement.Threads, threads, nameof(placement));
        _minParallelWork = minParallelWork;
        _shares = new ShareWord[threads];
        Publish(0, null);
        _workers = new Thread[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            int worker = i + 1;
            _workers[i] = new Thread(() => WorkerLoop(worker)) { IsBackground = true, Name = $"cpu-{worker}" };
            _workers[i].Start();
        }
    }

    /// <summary>Workers plus the caller.</summary>
    public int Threads { get; }

    /// <summary>Workers asleep now; for tests.</summary>
    public int Parked => Volatile.Read(ref _parked);

    /// <summary>Runs items 0..<paramref name="items"/> of a job and returns when all are done. One caller at a time.</summary>
    /// <param name="job">What to run.</param>
    /// <param name="items">How many items.</param>
    /// <param name="chunk">Items handed out at once.</param>
    /// <param name="work">Multiply-adds in total: a small job stays on the caller.</param>
    public void Run(ParallelJob job, int items, int chunk, long work)
    {
        if (items <= 0) return;
        if (_placement.IsSpread && _settled != this && !TrySettle()) RunAsGuest(job, items, chunk, work);
        else Share(job, items, chunk, work);
    }

    public void Dispose()
    {
        _stopping = true;
        Wake();
        foreach (Thread worker in _workers) worker.Join();
        _wake.Dispose();
        _joined.Dispose();
    }

    /// <summary>
    /// The caller is thread 0 of the placement. A thread of its own (the engine's) stays there from its first job on. One that others will use after us is
    /// only a guest: the thread pool's, which load models. The main thread is left alone, for new threads begin where it is.
    /// </summary>
    private bool TrySettle()
    {
        if (Thread.CurrentThread.IsThreadPoolThread) return false;
        _settled = this;
        if (!ThreadAffinity.OnMainThread) ThreadAffinity.TryPin(_placement.ProcessorsOf(0)!);
        return true;
    }

    /// <summary>At thread 0's place for this job: two system calls of about a microsecond, which a load does not feel.</summary>
    private void RunAsGuest(ParallelJob job, int items, int chunk, long work)
    {
        Span<ulong> before = stackalloc ulong[ThreadAffinity.MaskWords];
        bool moved = ThreadAffinity.TryRead(before) && ThreadAffinity.TryPin(_placement.ProcessorsOf(0)!);
        try
        {
            Share(job, items, chunk, work);
        }
        finally
        {
            if (moved) ThreadAffinity.TrySet(before);
        }
    }

    private void Share(ParallelJob job, int items, int chunk, long work)
    {
        if (_workers.Length == 0 || items <= chunk || work < _minParallelWork)
        {
            job.Execute(0, items, 0);
            return;
        }

        // Close before the fields change: a worker that still looks at the last job must fail its claim.
        Publish(_epoch, null);
        _job = job;
        _items = items;
        _chunk = Math.Max(1, chunk);
        Volatile.Write(ref _itemsDone, 0);
        Publish(_epoch + 1, _chunk);
        Interlocked.Increment(ref _epoch);
        if (Volatile.Read(ref _parked) > 0) Wake();
        Drain(0);
        Join(items);
        if (Interlocked.Exchange(ref _fault, null) is { } fault) fault.Throw();
    }

    /// <summary>All shares at once: each from its first item, or closed.</summary>
    private void Publish(long epoch, int? chunk)
    {
        for (int i = 0; i < _shares.Length; i++)
            Interlocked.Exchange(ref _shares[i].Word, (epoch << 32) | (uint)(chunk is { } size ? FirstItem(i, _items, size) : Closed));
    }

    /// <summary>Shares are whole chunks.</summary>
    private int FirstItem(int share, int items, int chunk)
    {
        int chunks = (items + chunk - 1) / chunk;
        return (int)Math.Min(items, (long)chunks * share / _shares.Length * chunk);
    }

    private void Wake()
    {
        int parked = Interlocked.Exchange(ref _parked, 0);
        if (parked > 0) _wake.Release(parked);
    }

    private void WorkerLoop(int worker)
    {
        if (_placement.ProcessorsOf(worker) is { } processors) ThreadAffinity.TryPin(processors);
        uint seen = 0;
        while (!_stopping)
        {
            if (WaitForEpoch(ref seen)) Drain(worker);
        }
    }

    private bool WaitForEpoch(ref uint seen)
    {
        for (int spin = 0; spin < SpinsBeforeParking; spin++)
        {
            uint epoch = (uint)Volatile.Read(ref _epoch);
            if (epoch != seen)
            {
                seen = epoch;
                return true;
            }

            if (_stopping) return false;
            Thread.SpinWait(1);
        }

        Interlocked.Increment(ref _parked);
        bool mustSleep = (uint)Volatile.Read(ref _epoch) == seen && !_stopping;
        if (mustSleep || !TryUnpark()) _wake.Wait();
        return false;
    }

    /// <summary>Takes back this worker's claim to sleep; false if a permit for it is already on its way.</summary>
    private bool TryUnpark()
    {
        int parked = Volatile.Read(ref _parked);
        while (parked > 0)
        {
            int found = Interlocked.CompareExchange(ref _parked, parked - 1, parked);
            if (found == parked) return true;
            parked = found;
        }

        return false;
    }

    private void Drain(int worker)
    {
        foreach (int share in _placement.SharesFor(worker)) DrainShare(share, worker);
    }

    private void DrainShare(int share, int worker)
    {
        ref long shared = ref _shares[share].Word;
        while (true)
        {
            long word = Volatile.Read(ref shared);
            int begin = (int)word, items = _items, chunk = _chunk;
            ParallelJob? job = _job;
            int left = begin >= items ? 0 : FirstItem(share + 1, items, chunk) - begin;
            if (left <= 0) return;
            int end = begin + Math.Min(left, job!.Tapers ? Math.Max(chunk, left / 2 / chunk * chunk) : chunk);
            if (Interlocked.CompareExchange(ref shared, (word & ~0xFFFFFFFFL) | (uint)end, word) != word) continue;
            ExecuteChunk(job, begin, end, worker);
            if (Interlocked.Add(ref _itemsDone, end - begin) == items && Volatile.Read(ref _callerParked) != 0) ReleaseCaller();
        }
    }

    private void ExecuteChunk(ParallelJob job, int begin, int end, int worker)
    {
        try
        {
            job.Execute(begin, end, worker);
        }
        catch (Exception e) // handed to the caller of Run: a worker has nobody above it
        {
            Interlocked.CompareExchange(ref _fault, ExceptionDispatchInfo.Capture(e), null);
        }
    }

    private void Join(int items)
    {
        for (int spin = 0; spin < SpinsBeforeParking; spin++)
        {
            if (Volatile.Read(ref _itemsDone) == items) return;
            Thread.SpinWait(1);
        }

        for (int turn = 0; turn < YieldsBeforeParking; turn++)
        {
            if (Volatile.Read(ref _itemsDone) == items) return;
            Thread.Yield();
        }

        // A permit may be a late one of the job before, hence the loop.
        while (Volatile.Read(ref _itemsDone) != items)
        {
            Interlocked.Exchange(ref _callerParked, 1);
            bool done = Volatile.Read(ref _itemsDone) == items;
            if (!done || Interlocked.Exchange(ref _callerParked, 0) == 0) _joined.Wait();
        }
    }

    private void ReleaseCaller()
    {
        if (Interlocked.Exchange(ref _callerParked, 0) == 1) _joined.Release();
    }

    /// <summary>A cache line of its own, and the one that the prefetcher brings with it.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct ShareWord
    {
        /// <summary>(epoch &lt;&lt; 32) | next item.</summary>
        [FieldOffset(0)]
        public long Word;
    }
}
