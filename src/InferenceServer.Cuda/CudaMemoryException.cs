namespace InferenceServer.Cuda;

/// <summary>The GPU's memory does not suffice. The message is for the operator: what was asked, what is free, which flag helps.</summary>
public sealed class CudaMemoryException(string message, Exception? inner = null) : Exception(message, inner)
{
    internal const string Flags = "lower --kv-memory, --context-length, --max-running or --tokens-per-step, raise --gpu-memory, or serve a smaller model";

    internal static string Mebibytes(long bytes) => $"{bytes / 1048576.0:F1} MiB";
}
