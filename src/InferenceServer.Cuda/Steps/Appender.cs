namespace InferenceServer.Cuda.Steps;

/// <summary>Elements written one after another into a buffer of other things.</summary>
/// <param name="room">From the first element to the end of what may be written.</param>
/// <param name="firstIndex">Index that the device gives to the first element.</param>
internal ref struct Appender<T>(Span<T> room, int firstIndex)
    where T : unmanaged
{
    private readonly Span<T> _room = room;

    public int Count { get; private set; }

    /// <summary>Of the element that comes next.</summary>
    public readonly int Index => firstIndex + Count;

    public void Add(T element) => _room[Count++] = element;

    /// <summary>The next elements, to be filled.</summary>
    public Span<T> Add(int count)
    {
        Span<T> added = _room.Slice(Count, count);
        Count += count;
        return added;
    }
}
