namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>
/// Places the shared variables of a kernel. The first kilobyte stays free, as on sm_90, so that a null pointer is out of bounds; gaps between
/// variables catch what runs past the end of one. A multiple of 128 bytes each, they leave the bank of every word as it is.
/// </summary>
internal sealed class SharedLayout
{
    public const int Reserved = 1024;
    private const int Gap = 128;
    private readonly List<(int Begin, int End)> _variables = [];
    private int _end = Reserved - Gap;

    /// <summary>[begin, end) of each static variable.</summary>
    public IReadOnlyList<(int Begin, int End)> Variables => _variables;
    /// <summary>What the variables take without the gaps: what a device would count.</summary>
    public int StaticBytes { get; private set; }
    /// <summary>Alignment of the dynamic array; 0 without one.</summary>
    public int DynamicAlign { get; private set; }
    public int DynamicBase => Align(_end + Gap, Math.Max(128, DynamicAlign));

    public int Place(int size, int align)
    {
        int begin = Align(_end + Gap, Math.Max(128, align));
        _end = begin + size;
        _variables.Add((begin, _end));
        StaticBytes = Align(StaticBytes, align) + size;
        return begin;
    }

    public void UseDynamic(int align) => DynamicAlign = Math.Max(DynamicAlign, Math.Max(align, 1));

    public static int Align(int value, int align) => (value + align - 1) / align * align;
}
