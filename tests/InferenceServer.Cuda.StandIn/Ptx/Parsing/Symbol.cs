using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>A variable of a module or kernel: its space, its address there and its size.</summary>
internal sealed record Symbol(string Name, StateSpace Space, ulong Address, int Size);
