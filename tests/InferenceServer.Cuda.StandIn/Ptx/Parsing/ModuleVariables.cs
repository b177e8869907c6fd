using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>Memory of the .global and .const variables of a module; lives as long as the module.</summary>
internal sealed unsafe class ModuleVariables
{
    // Room for any alignment of a PTX variable that clang emits.
    private const int MaxAlign = 256;
    private readonly List<(Symbol Symbol, byte[] Pinned)> _variables = [];

    public IEnumerable<Symbol> Symbols => _variables.Select(v => v.Symbol);

    public Symbol Add(VariableDeclaration declaration, StateSpace space)
    {
        byte[] pinned = GC.AllocateArray<byte>(declaration.Size + MaxAlign, pinned: true);
        ulong address = (ulong)(nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref pinned[0]);
        ulong aligned = (address + MaxAlign - 1) / MaxAlign * MaxAlign;
        declaration.Initial?.CopyTo(pinned.AsSpan((int)(aligned - address)));
        Symbol symbol = new(declaration.Name, space, aligned, declaration.Size);
        _variables.Add((symbol, pinned));
        return symbol;
    }

    /// <summary>The variable that holds an address; null if none does.</summary>
    public Symbol? Find(ulong address)
    {
        foreach ((Symbol symbol, _) in _variables)
            if (address - symbol.Address < (ulong)symbol.Size) return symbol;
        return null;
    }
}
