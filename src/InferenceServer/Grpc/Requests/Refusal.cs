using System.Globalization;
using InferenceServer.Core.Requests;
using InferenceServer.Grpc.Protocol;

namespace InferenceServer.Grpc.Requests;

/// <summary>INVALID_ARGUMENT that names the field, and the checks that end in it.</summary>
internal static class Refusal
{
    public static GrpcException Invalid(string field, string sentence) =>
        new(new RequestRejected(RejectionKind.Invalid, "invalid_value", field, $"'{field}' {sentence}"));

    public static GrpcException Unsupported(string field, string sentence) =>
        new(new RequestRejected(RejectionKind.Invalid, "unsupported_parameter", field, $"'{field}' is not supported by this server: {sentence}"));

    public static void Range(string field, float value, float low, float high)
    {
        if (!(value >= low && value <= high)) // NaN is in no range
            throw Invalid(field, string.Create(CultureInfo.InvariantCulture, $"is {value}; a number from {low} to {high} is expected."));
    }

    /// <summary>Unsigned on the wire, signed inside: what does not fit is in no vocabulary and no context.</summary>
    public static int Int(string field, uint value) =>
        value <= int.MaxValue ? (int)value : throw Invalid(field, $"is {value}; at most {int.MaxValue} is expected.");

    public static int[] Ids(string field, IReadOnlyList<uint> values, int maxCount)
    {
        if (values.Count > maxCount) throw Invalid(field, $"has {values.Count} entries; at most {maxCount} are taken.");
        int[] ids = new int[values.Count];
        for (int i = 0; i < ids.Length; i++) ids[i] = Int(field, values[i]);
        return ids;
    }
}
