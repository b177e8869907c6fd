namespace InferenceServer.Hosting;

/// <summary>The server cannot start: a sentence that says what is missing, how much, and which flag mends it.</summary>
internal sealed class StartupException : Exception
{
    public StartupException(string sentence) : base(sentence)
    {
    }

    public StartupException(string sentence, Exception inner) : base(sentence, inner)
    {
    }
}
