namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>A stream: work in order, none of it done until somebody waits. While it is captured, work goes into the graph instead.</summary>
internal sealed class StandInStream
{
    private StreamWork[] _queue = new StreamWork[64];
    private int _head;

    public int Count { get; private set; }

    /// <summary>Not null while the stream is captured.</summary>
    public List<StreamWork>? Capture { get; set; }

    public ref StreamWork Head => ref _queue[_head];

    public void Enqueue(in StreamWork work)
    {
        if (Capture is not null)
        {
            Capture.Add(work);
            return;
        }

        if (Count == _queue.Length) Grow();
        _queue[(_head + Count++) % _queue.Length] = work;
    }

    public StreamWork Dequeue()
    {
        StreamWork work = _queue[_head];
        _queue[_head] = default;
        _head = (_head + 1) % _queue.Length;
        Count--;
        return work;
    }

    public void Clear()
    {
        while (Count > 0) Dequeue();
    }

    private void Grow()
    {
        StreamWork[] larger = new StreamWork[_queue.Length * 2];
        for (int i = 0; i < Count; i++) larger[i] = _queue[(_head + i) % _queue.Length];
        (_queue, _head) = (larger, 0);
    }
}
