namespace InferenceServer.Core.Requests;

/// <summary>Why a choice ended.</summary>
public enum FinishReason
{
    /// <summary>Still running.</summary>
    None,

    /// <summary>A stop token, or the caller ended this choice at a stop string.</summary>
    Stop,

    /// <summary>Its token limit or the model's context is used up.</summary>
    Length,

    /// <summary>The caller went away or asked to stop.</summary>
    Cancelled,

    /// <summary>Its deadline passed.</summary>
    Deadline,

    /// <summary>The server is to blame; the message says why.</summary>
    Error,
}
