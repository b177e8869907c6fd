using System.Text;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Requests;
using InferenceServer.Grpc.Responses;
using InferenceServer.Grpc.Wire;
using InferenceServer.Http;
using InferenceServer.Http.Responses;
using InferenceServer.Options;

namespace InferenceServer.Grpc.Services;

/// <summary>vllm.Inference: text or ids in, text and ids out. Thread-safe.</summary>
internal sealed class InferenceService(GenerationPipeline pipeline, CallAuthentication authentication, HttpOptions limits)
{
    public const string Name = "vllm.Inference";
    private const int FlushBytes = 64 << 10; // what a backlog may gather before it is sent; Kestrel buffers as much

    public static void Map(GrpcRoutes routes, InferenceService service)
    {
        routes.Unary(Name + "/Generate", GenerateRequest.Parser, service.GenerateAsync);
        routes.ServerStream(Name + "/GenerateStream", GenerateRequest.Parser, service.GenerateStreamAsync);
    }

    private async Task<GenerateResponse> GenerateAsync(GenerateRequest request, GrpcCall call)
    {
        ResponseShape shape = ResponseShape.Read(request.Response);
        using TextGeneration generation = Start(request, shape, call, maxSequences: 1);
        SequenceWriter writer = new(shape, 1);
        SequenceOutput output = new();
        StringBuilder text = new();
        PromptLogprob[]? prompt = null;
        while (await generation.WaitAsync(call.Cancelled))
        {
            while (generation.TryRead(out TextEvent item))
            {
                ThrowOnFailure(item);
                if (item.Kind == TextEventKind.Prompt) prompt = item.PromptLogprobs;
                if (item.Kind is not (TextEventKind.Delta or TextEventKind.ChoiceFinished)) continue;
                text.Append(item.Text);
                writer.Append(output, item);
            }
        }

        if (shape.OutputText) output.Text = text.ToString();
        return new GenerateResponse { PromptInfo = SequenceWriter.Prompt(shape, generation.PromptTokens, prompt), Outputs = output };
    }

    private async Task GenerateStreamAsync(GenerateRequest request, GrpcCall call)
    {
        ResponseShape shape = ResponseShape.Read(request.Response);
        using TextGeneration generation = Start(request, shape, call, limits.MaxChoices);
        SequenceWriter writer = new(shape, generation.Request.Choices);
        PromptLogprob[]? prompt = null;
        while (await generation.WaitAsync(call.Cancelled))
        {
            while (generation.TryRead(out TextEvent item))
            {
                ThrowOnFailure(item);
                if (item.Kind == TextEventKind.Finished) return; // what is unsent goes out with the status
                if (item.Kind == TextEventKind.Prompt) prompt = item.PromptLogprobs;
                else call.Write(Response(generation, shape, writer, item, prompt, isFirst: !call.HasWritten));
                if (call.Unflushed >= FlushBytes) await call.FlushAsync();
            }

            if (call.Unflushed > 0) await call.FlushAsync();
        }
    }

    private static GenerateResponse Response(TextGeneration generation, ResponseShape shape, SequenceWriter writer, in TextEvent item, PromptLogprob[]? prompt, bool isFirst)
    {
        SequenceOutput output = new();
        if (shape.OutputText) output.Text = item.Text;
        writer.Append(output, item);
        GenerateResponse response = new() { Outputs = output };
        if (isFirst) response.PromptInfo = SequenceWriter.Prompt(shape, generation.PromptTokens, prompt);
        return response;
    }

    private TextGeneration Start(GenerateRequest message, ResponseShape shape, GrpcCall call, int maxSequences)
    {
        string? metadataId = call.Metadata[RequestIds.Header];
        CallContext context = new(metadataId, authentication.Authenticate(call), Timeout(call), maxSequences);
        GenerationRequest request = GenerateRequestReader.Read(message, shape, context);
        call.ResponseMetadata[RequestIds.Header] = request.RequestId;
        (TextGeneration? generation, RequestRejected? rejection) = pipeline.Start(request);
        return generation ?? throw new GrpcException(rejection!);
    }

    /// <summary>The caller's deadline or the server's limit, whichever comes first.</summary>
    private TimeSpan? Timeout(GrpcCall call)
    {
        TimeSpan? server = limits.RequestTimeoutSeconds > 0 ? TimeSpan.FromSeconds(limits.RequestTimeoutSeconds) : null;
        return call.TimeLeft is { } own && !(server < own) ? own : server;
    }

    private static void ThrowOnFailure(in TextEvent item)
    {
        if (item.IsAborted) return; // an answer: finish_info says ABORTED
        if (FinishReasons.Failure(item) is { } failure) throw new GrpcException(failure);
    }
}
