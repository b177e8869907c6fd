using InferenceServer.Core.Compute;
using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>The tensors of a GGUF model as the architectures ask for them: Hugging Face's names, and q and k in Hugging Face's order.</summary>
internal static class GgufWeights
{
    /// <summary>Inverse frequencies that conversions of 2023 stored; they are computed from the config.</summary>
    private const string StoredFrequencies = ".attn_rot_embd.weight";

    /// <param name="parts">Owned by the result.</param>
    /// <param name="config">Of the same model.</param>
    /// <exception cref="ModelLoadException">A tensor that no architecture has.</exception>
    public static WeightFiles Of(GgufParts parts, ModelConfig config)
    {
        bool permuted = GgufArchitecture.IsPermuted(parts.Metadata);
        Dictionary<string, HostTensor> tensors = [];
        foreach ((string stored, HostTensor tensor) in parts.Tensors)
        {
            if (stored.EndsWith(StoredFrequencies, StringComparison.Ordinal)) continue;
            if (stored == GgufTensorNames.RopeFactors && config.RopeScaling.Factors is not null) continue;
            string name = GgufTensorNames.ToHuggingFace(stored);
            bool rotates = name.EndsWith(".q_proj.weight", StringComparison.Ordinal) || name.EndsWith(".k_proj.weight", StringComparison.Ordinal)
                || name.EndsWith(".q_proj.bias", StringComparison.Ordinal) || name.EndsWith(".k_proj.bias", StringComparison.Ordinal);
            HostTensor renamed = permuted && rotates && UnpermutedTensor.CanRead(tensor, config.HeadDim)
                ? new UnpermutedTensor(name, tensor, config.HeadDim)
                : new RenamedTensor(name, tensor); // of a wrong shape; the loader says so
            if (name == stored || !tensors.TryAdd(name, renamed))
                throw new ModelLoadException($"'{parts.Metadata.Path}' holds tensor '{stored}', which a {config.Architecture} does not have; check that the file's architecture is right.");
        }

        return WeightFiles.Of(tensors.Values, parts, parts.Files.Select(f => f.File), "its metadata", GgufTensorNames.ToGguf);
    }
}
