using InferenceServer.Models.Files;

namespace InferenceServer.Models.Configuration;

/// <summary>
/// The rotary fields of config.json in their three spellings: rope_theta with rope_scaling {rope_type | type, …},
/// and rope_parameters {rope_theta, rope_type, …} since transformers 5.
/// </summary>
internal static class RopeReader
{
    public const double DefaultTheta = 10_000; // of all four config classes
    public const double MaxTheta = 1e12;
    public const double MaxFactor = 1024;

    public static double Theta(JsonFields json)
    {
        double theta = json.ObjectOrNull("rope_parameters")?.NumberOrNull("rope_theta", 1, MaxTheta)
            ?? json.NumberOrNull("rope_theta", 1, MaxTheta) ?? DefaultTheta;
        return theta > 1 ? theta : throw json.Wrong("rope_theta", "a number above 1");
    }

    public static RopeScaling Scaling(JsonFields json)
    {
        RefusePartial(json);
        if ((json.ObjectOrNull("rope_parameters") ?? json.ObjectOrNull("rope_scaling")) is not { } rope) return RopeScaling.None;
        RefusePartial(rope);
        string kindField = rope.Has("rope_type") ? "rope_type" : "type";
        RopeScalingKind kind = (rope.TextOrNull(kindField) ?? "default") switch
        {
            "default" => RopeScalingKind.None,
            "linear" => RopeScalingKind.Linear,
            "dynamic" => RopeScalingKind.Dynamic,
            "llama3" => RopeScalingKind.Llama3,
            _ => throw rope.Wrong(kindField, "default, linear, dynamic or llama3"),
        };
        if (kind == RopeScalingKind.None) return RopeScaling.None;
        RopeScaling scaling = new() { Kind = kind, Factor = rope.Number("factor", 1, MaxFactor) };
        return kind == RopeScalingKind.Llama3 ? WithRamp(rope, scaling) : scaling;
    }

    private static void RefusePartial(JsonFields json)
    {
        if (json.NumberOrNull("partial_rotary_factor", 0, 1) is { } share and not 1)
            throw json.Wrong("partial_rotary_factor", $"1 (whole heads rotate), not {share}");
    }

    private static RopeScaling WithRamp(JsonFields rope, RopeScaling scaling)
    {
        scaling = scaling with
        {
            LowFrequencyFactor = rope.Number("low_freq_factor", 1e-3, MaxFactor),
            HighFrequencyFactor = rope.Number("high_freq_factor", 1e-3, MaxFactor),
            OriginalPositions = rope.Int("original_max_position_embeddings", 1, ConfigReader.MaxContext),
        };
        return scaling.HighFrequencyFactor > scaling.LowFrequencyFactor
            ? scaling
            : throw rope.Wrong("high_freq_factor", $"more than low_freq_factor = {scaling.LowFrequencyFactor}");
    }
}
