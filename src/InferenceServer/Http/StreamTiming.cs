namespace InferenceServer.Http;

/// <summary>How patient a stream is.</summary>
internal sealed record StreamTiming
{
    /// <summary>
    /// Until the first token, an early failure can still have its true status, so the 200 waits for it; but proxies cut silent
    /// connections. After this long the 200 goes out, with a comment line, and again a comment after each such time until a token comes.
    /// </summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A client that takes nothing for this long is cut off and its generation cancelled.</summary>
    public TimeSpan StallLimit { get; init; } = TimeSpan.FromSeconds(60);
}
