namespace InferenceServer.LoadBench;

/// <summary>One request of the plan.</summary>
/// <param name="Index">Names it and seeds its prompt.</param>
/// <param name="At">Seconds after the start at which it is sent; null: as soon as a place is free.</param>
/// <param name="InputTokens">Prompt length.</param>
/// <param name="OutputTokens">max_tokens.</param>
/// <param name="PrefixBlocks">Equal ids mean equal 512-token beginnings; null without a prefix trace.</param>
internal sealed record PlannedRequest(int Index, double? At, int InputTokens, int OutputTokens, long[]? PrefixBlocks);
