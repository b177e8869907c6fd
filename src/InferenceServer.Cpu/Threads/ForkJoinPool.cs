using System.Runtime.ExceptionServices;

namespace InferenceServer.Cpu.Threads;

/// <summary>
/// A fork-join pool for jobs of microseconds. One caller at a time hands out a job; workers claim chunks of it with one
/// compare-and-swap on a word that holds (epoch, next item), so that a worker which wakes late simply finds nothing left and the
/// caller never waits for it. Workers spin for a while, because the next op of a step comes within microseconds, then park:
/// an idle server burns no CPU. Nothing is allocated while running. An exception in any chunk is rethrown to the caller after all
/// chunks have ended.
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

    private readonly Thread[] _workers;
    private readonly long _minParallelWork;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _joined = new(0);
    private ParallelJob? _job;
    private ExceptionDispatchInfo? _fault;
    private int _items;
    private int _chunk;
    private long _word;     // (epoch << 32) | next item
    private int _itemsDone;
    private int _parked;
    private int _callerParked;
    private volatile bool _stopping;

    /// <param name="threads">Workers plus the caller.</param>
    /// <param name="minParallelWork">Tests set 0, so that small jobs cross threads too.</param>
    public ForkJoinPool(int threads, long minParallelWork = MinParallelWork)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _minParallelWork = minParallelWork;
        _word = Closed;
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
        if (_workers.Length == 0 || items <= chunk || work < _minParallelWork)
        {
            job.Execute(0, items, 0);
            return;
        }

        // Close before the fields change: a worker that still looks at the last job must fail its claim.
        long epoch = _word & ~0xFFFFFFFFL;
        Interlocked.Exchange(ref _word, epoch | Closed);
        _job = job;
        _items = items;
        _chunk = Math.Max(1, chunk);
        Volatile.Write(ref _itemsDone, 0);
        Interlocked.Exchange(ref _word, unchecked(epoch + (1L << 32)));
        if (Volatile.Read(ref _parked) > 0) Wake();
        Drain(0);
        Join(items);
        if (Interlocked.Exchange(ref _fault, null) is { } fault) fault.Throw();
    }

    public void Dispose()
    {
        _stopping = true;
        Wake();
        foreach (Thread worker in _workers) worker.Join();
        _wake.Dispose();
        _joined.Dispose();
    }

    private void Wake()
    {
        int parked = Interlocked.Exchange(ref _parked, 0);
        if (parked > 0) _wake.Release(parked);
    }

    private void WorkerLoop(int worker)
    {
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
            uint epoch = (uint)(Volatile.Read(ref _word) >> 32);
            if (epoch != seen)
            {
                seen = epoch;
                return true;
            }

            if (_stopping) return false;
            Thread.SpinWait(1);
        }

        Interlocked.Increment(ref _parked);
        bool mustSleep = (uint)(Volatile.Read(ref _word) >> 32) == seen && !_stopping;
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
        while (true)
        {
            long word = Volatile.Read(ref _word);
            int begin = (int)word, items = _items, chunk = _chunk;
            ParallelJob? job = _job;
            if (begin >= items) return;
            int end = Math.Min(begin + chunk, items);
            if (Interlocked.CompareExchange(ref _word, (word & ~0xFFFFFFFFL) | (uint)end, word) != word) continue;
            ExecuteChunk(job!, begin, end, worker);
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
}
