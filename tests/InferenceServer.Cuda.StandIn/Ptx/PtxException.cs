namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>A PTX text that no assembler would take, or that uses what the stand-in does not know. The message names the module and the line.</summary>
internal sealed class PtxException(string message) : Exception(message);
