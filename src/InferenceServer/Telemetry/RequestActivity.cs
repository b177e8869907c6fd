using System.Diagnostics;
using InferenceServer.Core.Requests;

namespace InferenceServer.Telemetry;

/// <summary>
/// The span of one generation, in OpenTelemetry's GenAI names, below the HTTP or gRPC server span that is current when it starts.
/// Null fields and no cost when nobody listens.
/// </summary>
internal sealed class RequestActivity(string model, string requestId) : IDisposable
{
    private readonly Activity? _activity = Start(model, requestId);

    /// <summary>Ends the span with what the request cost; without it, disposal ends it as cancelled.</summary>
    public void Finish(RequestSummary summary)
    {
        if (_activity is null) return;
        _activity.SetTag("gen_ai.usage.input_tokens", summary.PromptTokens);
        _activity.SetTag("gen_ai.usage.output_tokens", summary.CompletionTokens);
        _activity.SetTag("gen_ai.response.finish_reasons", new[] { ServerMetrics.Reason(summary.FinishReason) });
        if (summary.FinishReason == FinishReason.Error) _activity.SetStatus(ActivityStatusCode.Error);
        _activity.Dispose();
    }

    public void Dispose() => _activity?.Dispose();

    private static Activity? Start(string model, string requestId)
    {
        Activity? activity = TelemetrySetup.Activities.StartActivity("chat " + model, ActivityKind.Internal);
        activity?.SetTag("gen_ai.operation.name", "chat");
        activity?.SetTag("gen_ai.provider.name", "inference_server");
        activity?.SetTag("gen_ai.request.model", model);
        activity?.SetTag("gen_ai.response.id", requestId);
        return activity;
    }
}
