namespace InferenceServer.Soak;

/// <summary>The storm cannot begin; the message says why and what to do.</summary>
internal sealed class SoakException(string message) : Exception(message);
