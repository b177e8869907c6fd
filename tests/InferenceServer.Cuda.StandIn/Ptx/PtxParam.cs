namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>A kernel parameter: where its bytes lie in the parameter block.</summary>
internal readonly record struct PtxParam(string Name, int Offset, int Size);
