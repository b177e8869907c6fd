using System.Net;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Grpc;
using InferenceServer.Grpc.Wire;
using InferenceServer.Hosting;
using InferenceServer.Http;
using InferenceServer.Options;
using InferenceServer.Tests.Fakes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace InferenceServer.Tests.Grpc;

/// <summary>The gRPC door on a real Kestrel and any free port, before a scripted engine.</summary>
internal sealed class GrpcTestServer : IAsyncDisposable
{
    public const string Generate = "vllm.Inference/Generate", GenerateStream = "vllm.Inference/GenerateStream";

    private readonly WebApplication _app;
    private readonly ModelRegistry _models;

    private GrpcTestServer(WebApplication app, ModelRegistry models)
    {
        _app = app;
        _models = models;
        Client = new GrpcClient(new Uri(app.Urls.Single()));
    }

    public ScriptedEngine Engine { get; } = new();

    public GrpcClient Client { get; }

    public RunningRequests Running => _app.Services.GetRequiredService<RunningRequests>();

    public static async Task<GrpcTestServer> StartAsync(ServerOptions? options = null, StreamTiming? timing = null, bool ready = true)
    {
        options ??= new ServerOptions();
        ModelRegistry models = new("test-model");
        RunningRequests running = new();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = options.Http.MaxBodyBytes;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddSingleton(options).AddSingleton(models).AddSingleton(TimeProvider.System).AddSingleton(timing ?? new StreamTiming())
            .AddSingleton(new ApiKeys(options.Auth.ApiKeys)).AddSingleton(running).AddSingleton(new GenerationPipeline(models, null, running));
        WebApplication app = builder.Build();
        GrpcApi.Map(app);
        await app.StartAsync();
        GrpcTestServer server = new(app, models);
        if (ready) server.Publish();
        return server;
    }

    public void Publish() => _models.Publish(new ServedModel
    {
        Id = "test-model",
        Created = 1_700_000_000,
        Engine = Engine,
        Tokenizer = new ByteTokenizer(),
        TemplateTokens = new Dictionary<string, string>(),
        ContextLength = 200_000,
        TokensPerStep = 512,
        VocabularySize = 262,
        EndTokens = [ByteTokenizer.Eos],
        Defaults = new SamplingParameters(),
    });

    public Task StopAsync() => _app.StopAsync();

    public Task<GenerateResponse> AskAsync(GenerateRequest request, params (string, string)[] metadata) =>
        Client.CallAsync(Generate, request, GenerateResponse.Parser, TestContext.Current.CancellationToken, metadata);

    public async Task<List<GenerateResponse>> StreamAsync(GenerateRequest request, params (string, string)[] metadata)
    {
        List<GenerateResponse> responses = [];
        await foreach (GenerateResponse response in Client.StreamAsync(GenerateStream, request, GenerateResponse.Parser, TestContext.Current.CancellationToken, metadata))
            responses.Add(response);
        return responses;
    }

    public Task<RpcFailure> FailAsync(GenerateRequest request, params (string, string)[] metadata) => Assert.ThrowsAsync<RpcFailure>(() => AskAsync(request, metadata));

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}
