namespace InferenceServer.Models;

/// <summary>A model that cannot be used, as a sentence: which file, which tensor or field, what was expected, what to do.</summary>
public sealed class ModelLoadException : Exception
{
    public ModelLoadException(string message) : base(message)
    {
    }

    public ModelLoadException(string message, Exception inner) : base(message, inner)
    {
    }

    public ModelLoadException()
    {
    }
}
