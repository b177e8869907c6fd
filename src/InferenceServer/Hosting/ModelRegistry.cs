using System.Diagnostics.CodeAnalysis;
using InferenceServer.Core.Requests;

namespace InferenceServer.Hosting;

/// <summary>The models this process serves; today one. Thread-safe: written once when loading ends, read by every request.</summary>
internal sealed class ModelRegistry(string servedId)
{
    private volatile ServedModel? _model;
    private volatile string? _failure;

    /// <summary>The id under which the model is, or will be, served.</summary>
    public string ServedId { get; } = servedId;

    /// <summary>Null while loading or after a failure.</summary>
    public ServedModel? Ready => _model;

    /// <summary>Why loading failed, as a sentence.</summary>
    public string? Failure => _failure;

    public void Publish(ServedModel model) => _model = model;

    public void Fail(string sentence) => _failure = sentence;

    /// <param name="id">As the caller wrote it; null or empty means the default.</param>
    public bool TryResolve(string? id, [NotNullWhen(true)] out ServedModel? model, [NotNullWhen(false)] out RequestRejected? rejection)
    {
        model = _model;
        rejection = null;
        if (!string.IsNullOrEmpty(id) && id != ServedId)
        {
            string shown = id.Length > 128 ? id[..128] + "…" : id;
            rejection = new(RejectionKind.NotFound, "model_not_found", "model",
                $"The model '{shown}' does not exist here; this server serves '{ServedId}'. GET /v1/models lists what can be asked.");
            return false;
        }

        if (model is not null) return true;
        rejection = _failure is { } failure
            ? new(RejectionKind.Unavailable, "model_loading", "model", $"The model could not be loaded: {failure}") { RetryAfter = TimeSpan.FromSeconds(30) }
            : new(RejectionKind.Unavailable, "model_loading", "model", "The model is still loading.") { RetryAfter = TimeSpan.FromSeconds(1) };
        return false;
    }
}
