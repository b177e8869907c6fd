namespace InferenceServer.Http.Responses;

/// <summary>Where a stream tells what it cost.</summary>
internal enum StreamUsage
{
    None,

    /// <summary>In one more chunk at the end; null in the others.</summary>
    Final,

    /// <summary>So far in every chunk, and at the end.</summary>
    Continuous,
}
