namespace InferenceServer.Text.Tokenizers.Added;

/// <summary>An added token that stands in the text at [Start, End).</summary>
internal readonly record struct AddedTokenMatch(int Id, int Start, int End);
