namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>What becomes of the matches of a Split; the names are the file format's.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}
