using System.Diagnostics.CodeAnalysis;
using InferenceServer.Core.Requests;

namespace InferenceServer.Hosting;

/// <summary>The models this process serves; today one. Thread-safe: one writer, who swaps the whole state; read by every request.</summary>
internal sealed class ModelRegistry(string servedId)
{
    private volatile ModelState _state = new();

    /// <summary>The id under which the model is, or will be, served.</summary>
    public string ServedId { get; } = servedId;

    /// <summary>At this moment.</summary>
    public ModelState State => _state;

    /// <summary>Null while loading or after a failure.</summary>
    public ServedModel? Ready => _state.Ready;

    /// <summary>Why loading failed, as a sentence.</summary>
    public string? Failure => _state.Failure;

    public void Publish(ServedModel model) => _state = _state.WithReady(model);

    /// <summary>The model's engine is broken and another will be started; until then requests are told to come back.</summary>
    public void Interrupt(string sentence, TimeSpan retryAfter) => _state = _state.WithOutage(sentence, retryAfter);

    public void Fail(string sentence) => _state = _state.WithFailure(sentence);

    /// <param name="id">As the caller wrote it; null or empty means the default.</param>
    public bool TryResolve(string? id, [NotNullWhen(true)] out ServedModel? model, [NotNullWhen(false)] out RequestRejected? rejection)
    {
        ModelState state = _state;
        model = state.Ready;
        rejection = null;
        if (!string.IsNullOrEmpty(id) && id != ServedId)
        {
            string shown = id.Length > 128 ? id[..128] + "…" : id;
            rejection = new(RejectionKind.NotFound, "model_not_found", "model",
                $"The model '{shown}' does not exist here; this server serves '{ServedId}'. GET /v1/models lists what can be asked.");
            return false;
        }

        if (model is not null) return true;
        (string code, string message) = state switch
        {
            { Failure: { } failure } => ("model_loading", $"The model cannot be served: {failure}"),
            { Outage: { } outage } => ("engine_restarting", outage),
            _ => ("model_loading", "The model is still loading."),
        };
        rejection = new(RejectionKind.Unavailable, code, "model", message) { RetryAfter = state.RetryAfter };
        return false;
    }
}
