namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>The stand-in found a kernel at fault; its sentence names the block, the PTX line and what was wrong.</summary>
internal sealed class KernelFaultException(string sentence, Exception inner) : Exception(sentence, inner);
