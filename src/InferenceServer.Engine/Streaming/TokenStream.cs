using System.Diagnostics;
using System.Threading.Channels;
using System.Threading.Tasks.Sources;
using InferenceServer.Core.Requests;

namespace InferenceServer.Engine.Streaming;

/// <summary>
/// One request's events: an unbounded queue between the engine thread, which writes and never waits, and one reader.
/// Lock-free: linked segments, of which the reader hands drained ones back, so that a reader who keeps up costs no allocation.
/// A waiting reader is woken on the thread pool; its continuation never runs on the engine thread.
/// Its length is bounded by the request's own token limit.
/// </summary>
internal sealed class TokenStream : ChannelReader<TokenEvent>, IValueTaskSource<bool>, IThreadPoolWorkItem
{
    private const int FirstSegment = 8, LargestSegment = 256; // short answers stay small; a lagging reader costs few links

    private const int Idle = 0, Waiting = 1;

    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ManualResetValueTaskSourceCore<bool> _wait;
    private CancellationTokenRegistration _waitCancellation;
    private int _readerState;
    private volatile bool _completed;

    private Segment _tail; // writer's
    private Segment _head; // reader's
    private Segment? _spare; // drained by the reader, taken by the writer

    public TokenStream() => _head = _tail = new Segment(FirstSegment);

    /// <summary>Completes once the last event was read.</summary>
    public override Task Completion => _completion.Task;

    /// <summary>Appends an event. Engine thread only.</summary>
    public void Write(in TokenEvent item)
    {
        Debug.Assert(!_completed, "Nothing follows the Finished event.");
        Segment tail = _tail;
        if (tail.Written == tail.Items.Length) tail = Extend(tail);
        tail.Items[tail.Written] = item;
        Volatile.Write(ref tail.Written, tail.Written + 1);
        Wake();
    }

    /// <summary>Nothing more will come. Engine thread only.</summary>
    public void Complete()
    {
        _completed = true;
        Wake();
    }

    public override bool TryRead(out TokenEvent item)
    {
        if (!HasItem())
        {
            item = default;
            return false;
        }

        ref TokenEvent slot = ref _head.Items[_head.Read++];
        item = slot;
        slot = default; // the stream must not keep arrays and summaries alive
        if (item.Kind == TokenEventKind.Finished) _completion.TrySetResult();
        return true;
    }

    public override bool TryPeek(out TokenEvent item)
    {
        bool available = HasItem();
        item = available ? _head.Items[_head.Read] : default;
        return available;
    }

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
    {
        bool completed = _completed; // looked at before the queue: what was written before it is then visible
        if (HasItem()) return new ValueTask<bool>(true);
        if (completed) return new ValueTask<bool>(false);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);

        _wait.Reset();
        Interlocked.Exchange(ref _readerState, Waiting);
        if ((HasItem() || _completed) && Interlocked.CompareExchange(ref _readerState, Idle, Waiting) == Waiting)
            return new ValueTask<bool>(HasItem());
        if (cancellationToken.CanBeCanceled)
            _waitCancellation = cancellationToken.UnsafeRegister(static (self, token) => ((TokenStream)self!).CancelWait(token), this);
        return new ValueTask<bool>(this, _wait.Version);
    }

    /// <summary>Runs on the thread pool after the engine found a waiting reader.</summary>
    void IThreadPoolWorkItem.Execute() => _wait.SetResult(true);

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        _waitCancellation.Dispose();
        _waitCancellation = default;
        _ = _wait.GetResult(token); // throws when cancelled
        return HasItem() || !_completed;
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    private void Wake()
    {
        Interlocked.MemoryBarrier(); // the event is visible before the reader's state is looked at
        if (_readerState == Waiting && Interlocked.CompareExchange(ref _readerState, Idle, Waiting) == Waiting)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private void CancelWait(CancellationToken token)
    {
        if (Interlocked.CompareExchange(ref _readerState, Idle, Waiting) == Waiting)
            _wait.SetException(new OperationCanceledException(token));
    }

    private bool HasItem()
    {
        Segment head = _head;
        while (head.Read == Volatile.Read(ref head.Written))
        {
            if (head.Read < head.Items.Length || Volatile.Read(ref head.Next) is not { } next) return false;
            _head = next;
            Recycle(head);
            head = next;
        }

        return true;
    }

    private void Recycle(Segment drained)
    {
        drained.Read = drained.Written = 0;
        drained.Next = null;
        Volatile.Write(ref _spare, drained);
    }

    private Segment Extend(Segment tail)
    {
        Segment? spare = Interlocked.Exchange(ref _spare, null);
        Segment next = spare ?? new Segment(Math.Min(tail.Items.Length * 2, LargestSegment));
        Volatile.Write(ref tail.Next, next);
        _tail = next;
        return next;
    }

    private sealed class Segment(int capacity)
    {
        public readonly TokenEvent[] Items = new TokenEvent[capacity];
        public int Written; // by the writer, read by both
        public int Read; // by the reader alone
        public Segment? Next;
    }
}
