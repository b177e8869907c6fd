using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>Why a choice ended, in OpenAI's words: strict clients know no others.</summary>
internal static class FinishReasons
{
    public static string Text(FinishReason reason) => reason == FinishReason.Length ? "length" : "stop";

    /// <summary>Null when the choice ended as asked; otherwise the error that takes its place.</summary>
    public static RequestRejected? Failure(in TextEvent text) => text.Kind != TextEventKind.ChoiceFinished ? null : text.FinishReason switch
    {
        FinishReason.Stop or FinishReason.Length => null,
        FinishReason.Deadline => new(RejectionKind.DeadlineExceeded, "deadline_exceeded", null,
            text.Error ?? "The request did not finish within the time that this server allows."),
        FinishReason.Cancelled when text.IsAborted => new(RejectionKind.Invalid, "aborted", null, "The request was ended by its id before it was done."),
        FinishReason.Cancelled => new(RejectionKind.Unavailable, "draining", null, "The server is shutting down and ended this request."),
        _ => new(RejectionKind.Internal, "internal_error", null, text.Error ?? "The model failed at this request."),
    };

    /// <summary>vLLM's stop_reason: the stop string or stop token that was met; absent where it was the model's own end.</summary>
    public static void WriteStopReason(Utf8JsonWriter json, string? stop, int? token)
    {
        if (stop is not null) json.WriteString("stop_reason"u8, stop);
        else if (token is { } id) json.WriteNumber("stop_reason"u8, id);
    }
}
