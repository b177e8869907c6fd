namespace InferenceServer.Evaluation;

/// <summary>Tokens that models are run over as they stand, whatever the models would have chosen.</summary>
/// <param name="Ids">At least two.</param>
/// <param name="FirstScored">From which token on predictions count; at least 1, for the first token has none.</param>
internal sealed record ScoredText(int[] Ids, int FirstScored);
