namespace InferenceServer.Models;

/// <summary>How far a load or a hash check has come.</summary>
/// <param name="Item">The tensor or file just done.</param>
/// <param name="BytesDone">Of all items so far.</param>
/// <param name="BytesTotal">Of all items.</param>
public readonly record struct LoadProgress(string Item, long BytesDone, long BytesTotal);
