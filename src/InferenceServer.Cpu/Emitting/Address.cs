namespace InferenceServer.Cpu.Emitting;

/// <summary>General-purpose registers by their numbers in an instruction.</summary>
internal enum Gp
{
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// <summary>[Base + Index * Scale + Displacement]; no index if Scale is 0.</summary>
internal readonly record struct Address(Gp Base, int Displacement = 0, Gp Index = default, int Scale = 0)
{
    public static Address operator +(Address address, int bytes) => address.Plus(bytes);

    public Address Plus(int bytes) => this with { Displacement = Displacement + bytes };
}
