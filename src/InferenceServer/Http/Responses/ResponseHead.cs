using System.Text.Json;

namespace InferenceServer.Http.Responses;

/// <summary>What every object of one response carries alike.</summary>
/// <param name="Id">"chatcmpl-…" or "cmpl-…".</param>
/// <param name="Created">Unix seconds.</param>
internal sealed record ResponseHead(string Id, string Object, long Created, string Model)
{
    /// <summary>Changes with the build: equal fingerprints and seeds mean equal answers.</summary>
    public static readonly string Fingerprint = "fp_" + typeof(ResponseHead).Module.ModuleVersionId.ToString("N")[..10];

    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteString("id"u8, Id);
        json.WriteString("object"u8, Object);
        json.WriteNumber("created"u8, Created);
        json.WriteString("model"u8, Model);
        json.WriteString("system_fingerprint"u8, Fingerprint);
    }
}
