namespace InferenceServer.Cuda.Memory;

/// <summary>What an arena held at one moment. RequestedBytes &lt;= AlignedBytes &lt;= ReservedBytes.</summary>
/// <param name="Name">"weights", "kv" or "workspace".</param>
/// <param name="Buffers">Buffers handed out.</param>
/// <param name="RequestedBytes">What they asked for.</param>
/// <param name="AlignedBytes">What they take, each up to the next multiple of the alignment.</param>
/// <param name="ReservedBytes">What the arena took from the device.</param>
internal readonly record struct ArenaSnapshot(string Name, int Buffers, long RequestedBytes, long AlignedBytes, long ReservedBytes);
