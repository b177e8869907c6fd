namespace InferenceServer.Soak;

/// <summary>One kind of request.</summary>
/// <param name="Kind">Its name in the report.</param>
/// <param name="Weight">How often it comes, relative to the others.</param>
/// <param name="RunAsync">Sends one, all its choices from the random numbers; null when the server behaved, otherwise what was wrong.</param>
internal sealed record Scenario(string Kind, int Weight, Func<Random, CancellationToken, Task<string?>> RunAsync);
