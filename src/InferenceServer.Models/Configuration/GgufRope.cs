using System.Buffers.Binary;
using InferenceServer.Core.Compute;
using InferenceServer.Models.Files.Gguf;

namespace InferenceServer.Models.Configuration;

/// <summary>The rotary keys of a GGUF file, and the tensor in which Llama 3's scaling is written out.</summary>
internal static class GgufRope
{
    /// <param name="metadata">Of the file.</param>
    /// <param name="prefix">Architecture and dot.</param>
    /// <param name="headDim">Even.</param>
    /// <param name="factors">(headDim / 2) What each frequency is divided by; null if the file has none.</param>
    public static RopeScaling Scaling(GgufMetadata metadata, string prefix, int headDim, HostTensor? factors)
    {
        string typeKey = prefix + "rope.scaling.type";
        double factor = metadata.NumberOrNull(prefix + "rope.scaling.factor", 0, RopeReader.MaxFactor)
            ?? metadata.NumberOrNull(prefix + "rope.scale_linear", 0, RopeReader.MaxFactor) ?? 1;
        bool isLinear = (metadata.TextOrNull(typeKey) ?? "linear") switch
        {
            "none" => false,
            "linear" => factor is not (0 or 1), // both are written for "not at all"
            _ => throw metadata.Wrong(typeKey, "none or linear (Llama 3's scaling comes as the tensor 'rope_freqs.weight')"),
        };
        if (isLinear && factor < 1) throw metadata.Wrong(prefix + "rope.scaling.factor", $"a number from 1 to {RopeReader.MaxFactor}");
        return new RopeScaling
        {
            Kind = isLinear ? RopeScalingKind.Linear : RopeScalingKind.None,
            Factor = isLinear ? factor : 1,
            Factors = factors is null ? null : ReadFactors(metadata, headDim / 2, factors),
        };
    }

    private static float[] ReadFactors(GgufMetadata metadata, int pairs, HostTensor tensor)
    {
        if (tensor.Type != ElementType.F32 || tensor.Shape.Count != 1 || tensor.Columns != pairs)
            throw new ModelLoadException($"'{metadata.Path}': tensor '{tensor.Name}' has shape ({string.Join(", ", tensor.Shape)}) in {GgufTensorType.Name(tensor.Type)}; expected ({pairs}) in F32, one factor for each pair of a head's dimensions.");
        float[] factors = new float[pairs];
        for (int i = 0; i < pairs; i++)
        {
            factors[i] = BinaryPrimitives.ReadSingleLittleEndian(tensor.Row(0)[(i * sizeof(float))..]);
            if (!(factors[i] >= 1e-3 && factors[i] <= RopeReader.MaxFactor))
                throw new ModelLoadException($"'{metadata.Path}': number {i} of tensor '{tensor.Name}' is {factors[i]}; expected a factor from 0.001 to {RopeReader.MaxFactor}.");
        }

        return factors;
    }
}
