using System.Runtime.CompilerServices;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// The median of the last five numbers, the lower one of two: two wild ones in five change nothing, a lasting change shows after three.
/// A mutable value: keep it in a field or an array.
/// </summary>
internal struct RecentMedian
{
    private const int Kept = 5;

    private Numbers _sorted;
    private Numbers _inOrder; // a ring
    private int _count;
    private int _oldest;

    /// <summary>0 before the first.</summary>
    public readonly double Value => _count == 0 ? 0 : _sorted[(_count - 1) / 2];

    public void Add(double number)
    {
        _inOrder[_oldest] = number;
        _oldest = (_oldest + 1) % Kept;
        _count = Math.Min(Kept, _count + 1);
        _sorted = _inOrder;
        ((Span<double>)_sorted)[.._count].Sort();
    }

    [InlineArray(Kept)]
    private struct Numbers
    {
        private double _first;
    }
}
