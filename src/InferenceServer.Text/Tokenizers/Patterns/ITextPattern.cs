namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>What a Split or Replace looks for. Immutable and thread-safe.</summary>
internal interface ITextPattern
{
    /// <summary>Appends every match from left to right as [start, end), without overlaps.</summary>
    void FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches);
}
