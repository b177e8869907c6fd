using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Hosting;
using InferenceServer.Http.Requests;
using InferenceServer.Http.Responses;
using InferenceServer.Options;

namespace InferenceServer.Http.Endpoints;

/// <summary>What /v1/chat/completions and /v1/completions share: from requests to an answer, streamed or whole. Thread-safe.</summary>
internal sealed class GenerationEndpoint(GenerationPipeline pipeline, ModelRegistry models, HttpOptions options, StreamTiming timing, TimeProvider time)
{
    public Task ChatAsync(HttpContext http, JsonElement body)
    {
        RequestContext context = Context(http, "chatcmpl-");
        (ChatRequest? request, RequestRejected? rejection) = ChatRequestReader.Read(body, context);
        return request is null
            ? ErrorWriter.WriteAsync(http, rejection!)
            : AnswerAsync(http, [request.Generation], request.Delivery, new ChatAnswer(context.RequestId, Now()));
    }

    public Task CompletionAsync(HttpContext http, JsonElement body)
    {
        RequestContext context = Context(http, "cmpl-");
        (CompletionRequest? request, RequestRejected? rejection) = CompletionRequestReader.Read(body, context);
        return request is null
            ? ErrorWriter.WriteAsync(http, rejection!)
            : AnswerAsync(http, request.Generations, request.Delivery, new CompletionAnswer(context.RequestId, Now(), request.Echo));
    }

    private async Task AnswerAsync(HttpContext http, IReadOnlyList<GenerationRequest> requests, StreamChoice delivery, IAnswer answer)
    {
        (GenerationGroup? started, RequestRejected? rejection) = GenerationGroup.Start(pipeline, requests);
        if (started is null)
        {
            await ErrorWriter.WriteAsync(http, rejection!);
            return;
        }

        using GenerationGroup group = started;
        if (delivery.Stream)
        {
            using ChunkWriter chunks = answer.Stream(group, Usage(delivery));
            await new StreamedResponse(http, group, chunks, timing, time).RunAsync();
        }
        else
        {
            await CollectAsync(http, group, answer);
        }
    }

    private static async Task CollectAsync(HttpContext http, GenerationGroup group, IAnswer answer)
    {
        ResponseCollector collector = new(group);
        if (await collector.RunAsync(http.RequestAborted) is { } failure)
        {
            await ErrorWriter.WriteAsync(http, failure);
            return;
        }

        if (group.Summary is { } summary)
            http.Response.Headers["Server-Timing"] = ServerTiming.Of(summary, group.Generations[0].Model.Time.TimestampFrequency);
        await JsonResponse.WriteAsync(http, (answer, collector), static (json, state) => state.answer.Write(json, state.collector));
    }

    private static StreamUsage Usage(StreamChoice delivery) => (delivery.IncludeUsage, delivery.ContinuousUsage) switch
    {
        (true, true) => StreamUsage.Continuous,
        (true, false) => StreamUsage.Final,
        _ => StreamUsage.None,
    };

    private RequestContext Context(HttpContext http, string prefix) =>
        new(prefix + http.TraceIdentifier, http.Features.Get<Caller>() ?? Caller.Anonymous, options, models.Ready?.Tokenizer);

    private long Now() => time.GetUtcNow().ToUnixTimeSeconds();
}
