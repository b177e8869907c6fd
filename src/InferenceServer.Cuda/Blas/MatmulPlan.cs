namespace InferenceServer.Cuda.Blas;

/// <summary>One shape made ready: its descriptors, and the algorithm chosen for it. The owner destroys the descriptors.</summary>
internal sealed class MatmulPlan
{
    public required nint Desc { get; init; }

    public required nint LayoutX { get; init; }

    public required nint LayoutW { get; init; }

    public required nint LayoutY { get; init; }

    /// <summary>Best first as the library guesses, at most <see cref="CublasLt.AlgorithmsTimed"/>; those after the first are dropped once timed.</summary>
    public required MatmulHeuristic[] Candidates { get; set; }

    /// <summary>Measured, not guessed.</summary>
    public bool IsTimed { get; set; }

    /// <summary>Of the chosen algorithm, in milliseconds; 0 until timed.</summary>
    public float Milliseconds { get; set; }
}
