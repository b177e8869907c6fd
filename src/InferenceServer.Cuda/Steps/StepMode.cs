namespace InferenceServer.Cuda.Steps;

internal enum StepMode
{
    /// <summary>Ops launch their kernels.</summary>
    Eager,

    /// <summary>Ops launch into a graph, which runs when the step ends.</summary>
    Capture,

    /// <summary>Ops only check and count; the graph of an earlier step runs when the step ends.</summary>
    Replay,
}
