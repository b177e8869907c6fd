namespace InferenceServer.PacedStreams;

/// <summary>How long tokens took from their emission.</summary>
/// <param name="Tokens">How many.</param>
/// <param name="Groups">In how many writes or reads they travelled: fewer than tokens where a stream fell behind.</param>
/// <param name="P50">Milliseconds, as are the others.</param>
/// <param name="P99">The slowest hundredth begins here.</param>
/// <param name="Max">The slowest.</param>
internal sealed record Latencies(int Tokens, int Groups, double P50, double P99, double Max);
