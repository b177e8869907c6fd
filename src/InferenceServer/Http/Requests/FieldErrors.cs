using InferenceServer.Core.Requests;

namespace InferenceServer.Http.Requests;

/// <summary>The first thing found wrong while a body is read. Readers go on with defaults after it, so that they need no error paths of their own.</summary>
internal sealed class FieldErrors
{
    public RequestRejected? First { get; private set; }

    public void Invalid(string param, string message) => First ??= new(RejectionKind.Invalid, "invalid_value", param, message);

    public void Unsupported(string param, string message) => First ??= new(RejectionKind.Invalid, "unsupported_parameter", param, message);
}
