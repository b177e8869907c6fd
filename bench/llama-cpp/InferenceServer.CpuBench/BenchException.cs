namespace InferenceServer.CpuBench;

/// <summary>What the user can mend: a sentence, shown without a stack.</summary>
internal sealed class BenchException(string message) : Exception(message);
