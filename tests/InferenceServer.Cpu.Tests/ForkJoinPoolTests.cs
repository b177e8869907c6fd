using System.Collections.Concurrent;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Tests;

public sealed class ForkJoinPoolTests
{
    private const long Large = ForkJoinPool.MinParallelWork;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_item_of_every_job_runs_once(int threads)
    {
        using ForkJoinPool pool = new(threads);
        Random random = new(threads);
        for (int round = 0; round < 3000; round++)
        {
            CountingJob job = new(random.Next(1, 200));
            pool.Run(job, job.Runs.Length, random.Next(1, 9), Large);
            Assert.All(job.Runs, runs => Assert.Equal(1, runs));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Claims_that_taper_are_whole_chunks_and_miss_nothing(int threads)
    {
        using ForkJoinPool pool = new(threads);
        Random random = new(threads);
        for (int round = 0; round < 2000; round++)
        {
            int chunk = random.Next(1, 9);
            CountingJob job = new(random.Next(1, 400)) { Halves = true };
            pool.Run(job, job.Runs.Length, chunk, Large);
            Assert.All(job.Runs, runs => Assert.Equal(1, runs));
            if (threads > 1) Assert.All(job.Begins, begin => Assert.Equal(0, begin % chunk));
        }
    }

    [Fact]
    public void A_thread_claims_half_of_what_its_share_has_left()
    {
        // The worker waits inside its first claim until the caller has ended all that is left, its own share and then the worker's.
        using ForkJoinPool pool = new(2);
        HeldJob job = new();
        pool.Run(job, 64, 4, Large);
        Assert.Equal([(0, 16), (16, 24), (24, 28), (28, 32)], job.OfCaller.Where(c => c.Begin < 32));
        Assert.Equal((32, 48), job.OfWorker);
        Assert.Equal([(48, 56), (56, 60), (60, 64)], job.OfCaller.Where(c => c.Begin >= 32));
    }

    [Fact]
    public void A_late_worker_never_claims_from_the_next_job()
    {
        // A short job after a long one and a long one after a short one, as fast as they go: what a worker read of one must not fit the other.
        using ForkJoinPool pool = new(4);
        CountingJob[] jobs = [new(2), new(64), new(3), new(17)];
        long end = Environment.TickCount64 + 1500;
        for (int round = 1; Environment.TickCount64 < end; round++)
        {
            foreach (CountingJob job in jobs) pool.Run(job, job.Runs.Length, 1, Large);
            foreach (CountingJob job in jobs)
            {
                foreach (int runs in job.Runs) Assert.Equal(round, runs);
            }
        }
    }

    [Fact]
    public void Jobs_find_workers_that_have_parked()
    {
        using ForkJoinPool pool = new(3);
        for (int round = 0; round < 5; round++)
        {
            Assert.True(SpinWait.SpinUntil(() => pool.Parked == 2, TimeSpan.FromSeconds(20)), $"workers still awake: {pool.Parked} of 2 parked");
            CountingJob job = new(64);
            pool.Run(job, 64, 1, Large);
            Assert.All(job.Runs, runs => Assert.Equal(1, runs));
        }
    }

    [Fact]
    public void A_small_job_stays_on_the_caller()
    {
        using ForkJoinPool pool = new(3);
        CountingJob job = new(100);
        pool.Run(job, 100, 1, Large - 1);
        Assert.Equal([0], job.Workers.Distinct());
    }

    [Fact]
    public void An_exception_in_any_chunk_reaches_the_caller_and_the_pool_lives_on()
    {
        using ForkJoinPool pool = new(4);
        for (int round = 0; round < 200; round++)
        {
            int bad = round % 50;
            InvalidOperationException fault = Assert.Throws<InvalidOperationException>(() => pool.Run(new CountingJob(50, bad), 50, 1, Large));
            Assert.Equal($"item {bad}", fault.Message);
            CountingJob next = new(50);
            pool.Run(next, 50, 1, Large);
            Assert.All(next.Runs, runs => Assert.Equal(1, runs));
        }
    }

    [Fact]
    public void Work_is_shared_between_threads()
    {
        using ForkJoinPool pool = new(2);
        using Barrier both = new(2);
        // Two chunks that wait for each other can only end on two threads.
        pool.Run(new MeetingJob(both), 2, 1, Large);
        Assert.Equal(1, both.CurrentPhaseNumber);
    }

    [Fact]
    public void Every_worker_comes_to_every_job_however_it_parked()
    {
        // Pauses about as long as workers spin, so that some park while others are being woken. No chunk ends before all four threads hold one.
        using ForkJoinPool pool = new(4);
        using Barrier all = new(4);
        Random random = new(5);
        long end = Environment.TickCount64 + 2000;
        while (Environment.TickCount64 < end)
        {
            pool.Run(new MeetingJob(all), 4, 1, Large);
            Thread.SpinWait(random.Next(0, 8000));
        }
    }

    /// <summary>The worker's first claim ends when 48 items have been done; the caller's first begins once the worker has one.</summary>
    private sealed class HeldJob : ParallelJob
    {
        private int _doneByCaller;
        private int _workerCame;

        public override bool Tapers => true;

        public List<(int Begin, int End)> OfCaller { get; } = [];

        public (int Begin, int End) OfWorker { get; private set; }

        public override void Execute(int begin, int end, int worker)
        {
            if (worker == 0)
            {
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _workerCame) != 0, TimeSpan.FromSeconds(20)), "the worker never came");
                OfCaller.Add((begin, end));
                Volatile.Write(ref _doneByCaller, _doneByCaller + end - begin);
                return;
            }

            OfWorker = (begin, end);
            Volatile.Write(ref _workerCame, 1);
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _doneByCaller) == 64 - (end - begin), TimeSpan.FromSeconds(20)), "the caller stopped helping");
        }
    }

    private sealed class CountingJob(int items, int bad = -1) : ParallelJob
    {
        private readonly ConcurrentQueue<int> _begins = new();

        public bool Halves { get; init; }

        public override bool Tapers => Halves;

        public IEnumerable<int> Begins => _begins;

        public int[] Runs { get; } = new int[items];

        public int[] Workers { get; } = new int[items];

        public override void Execute(int begin, int end, int worker)
        {
            if (Halves) _begins.Enqueue(begin);
            for (int i = begin; i < end; i++)
            {
                if (i == bad) throw new InvalidOperationException($"item {i}");
                Interlocked.Increment(ref Runs[i]);
                Workers[i] = worker;
            }
        }
    }

    private sealed class MeetingJob(Barrier barrier) : ParallelJob
    {
        public override void Execute(int begin, int end, int worker) =>
            Assert.True(barrier.SignalAndWait(TimeSpan.FromSeconds(20)), "the other thread never came");
    }
}
