namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>The merges of a file and what was learned while reading them.</summary>
/// <param name="Table">Pair to rank and merged id.</param>
/// <param name="JoinAtMetaspace">Some merge makes a token with "▁" behind another character, so words cannot be cut there.</param>
internal sealed record BpeMerges(MergeTable Table, bool JoinAtMetaspace);
