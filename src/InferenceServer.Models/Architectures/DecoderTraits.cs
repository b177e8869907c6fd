namespace InferenceServer.Models.Architectures;

/// <summary>In what a member of the Llama family differs from the others.</summary>
internal sealed record DecoderTraits
{
    /// <summary>q_proj, k_proj and v_proj have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>o_proj has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>RMSNorm over each head of q and k before RoPE (q_norm, k_norm).</summary>
    public bool QkNorm { get; init; }

    /// <summary>How far back layer i sees, itself included; 0 = all.</summary>
    public Func<int, int> WindowOfLayer { get; init; } = _ => 0;
}
