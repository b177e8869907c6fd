namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>What the names between one pair of braces mean; names not found here are looked up further out.</summary>
internal sealed class Scope(Scope? outer)
{
    private readonly Dictionary<string, int> _registers = [];
    private readonly Dictionary<string, int> _labels = [];
    private readonly Dictionary<string, Symbol> _symbols = [];

    public Scope? Outer => outer;

    /// <summary>Asked once for a symbol that is not here: what is placed only when it is used.</summary>
    public Func<string, Symbol?>? Place { get; init; }

    public bool TryAddRegister(string name, int register) => _registers.TryAdd(name, register);
    public bool TryAddLabel(string name, int instruction) => _labels.TryAdd(name, instruction);
    public bool TryAddSymbol(string name, Symbol symbol) => _symbols.TryAdd(name, symbol);

    public bool TryFindRegister(ReadOnlySpan<char> name, out int register)
    {
        for (Scope? scope = this; scope != null; scope = scope.Outer)
            if (scope._registers.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out register)) return true;
        register = -1;
        return false;
    }

    public bool TryFindLabel(string name, out int instruction)
    {
        for (Scope? scope = this; scope != null; scope = scope.Outer)
            if (scope._labels.TryGetValue(name, out instruction)) return true;
        instruction = -1;
        return false;
    }

    public Symbol? FindSymbol(ReadOnlySpan<char> name)
    {
        for (Scope? scope = this; scope != null; scope = scope.Outer)
        {
            if (scope._symbols.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out Symbol? symbol)) return symbol;
            if (scope.Place?.Invoke(name.ToString()) is not { } placed) continue;
            scope._symbols.Add(placed.Name, placed);
            return placed;
        }

        return null;
    }
}
