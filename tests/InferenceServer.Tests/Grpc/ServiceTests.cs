using Google.Protobuf;
using Google.Protobuf.Reflection;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire;
using InferenceServer.Grpc.Wire.Health;
using InferenceServer.Grpc.Wire.Reflection;
using InferenceServer.Options;
using Status = InferenceServer.Grpc.Wire.Health.HealthCheckResponse.Types.ServingStatus;

namespace InferenceServer.Tests.Grpc;

/// <summary>Control, health and reflection.</summary>
public class ServiceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_server_and_the_model_are_described()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Status = new() { BlockSize = 16, BlocksTotal = 1000 };
        ServerInfo info = await server.Client.CallAsync("vllm.Control/GetServerInfo", new GetServerInfoRequest(), ServerInfo.Parser, Token);
        Assert.Equal((200_000u, 16u, 1000ul, 256ul, 512ul), (info.MaxModelLen, info.KvBlockSize, info.TotalKvBlocks, info.MaxRunningRequests, info.MaxBatchedTokens));
        ModelInfo model = await server.Client.CallAsync("vllm.Control/GetModelInfo", new GetModelInfoRequest(), ModelInfo.Parser, Token);
        Assert.Equal(("test-model", true, true, false), (model.ModelId, model.SupportsTextInput, model.SupportsTokenIdsInput, model.SupportsLora));
    }

    [Fact]
    public async Task Abort_ends_the_callers_own_requests_alone()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new ServerOptions { Auth = new() { ApiKeys = ["first-key", "other-key"] } });
        server.Engine.Script = g =>
        {
            g.Text("ab");
            return Task.CompletedTask;
        };
        Task<List<GenerateResponse>> mine = server.StreamAsync(new GenerateRequest { Text = "x", RequestId = "same" }, ("authorization", "Bearer first-key"));
        Task<List<GenerateResponse>> others = server.StreamAsync(new GenerateRequest { Text = "x", RequestId = "same" }, ("authorization", "Bearer other-key"));
        while (server.Running.Count < 2) await Task.Delay(5, Token);

        await AbortAsync(server, "first-key", "unknown", "same");
        List<GenerateResponse> aborted = await mine.WaitAsync(Patience, Token);
        Assert.Equal("ab", string.Concat(aborted.Select(r => r.Outputs.Text)));
        Assert.Equal((FinishInfo.Types.FinishReason.Aborted, 2u), (aborted[^1].Outputs.FinishInfo.FinishReason, aborted[^1].Outputs.FinishInfo.NumOutputTokens));
        Assert.Equal(1, server.Running.Count);
        Assert.False(others.IsCompleted);

        await AbortAsync(server, "other-key", "same");
        await others.WaitAsync(Patience, Token);
        Assert.Equal(0, server.Running.Count);
    }

    [Theory]
    [InlineData("", Status.Serving)]
    [InlineData("liveness", Status.Serving)]
    [InlineData("readiness", Status.Serving)]
    [InlineData("vllm.Inference", Status.Serving)]
    [InlineData("vllm.Control", Status.Serving)]
    public async Task Health_is_checked(string service, object expected)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new ServerOptions { Auth = new() { ApiKeys = ["some-key-x"] } }); // asks for none
        Assert.Equal(expected, await CheckAsync(server, service));
        server.Engine.Status = new() { Healthy = false };
        Assert.Equal(service == "liveness" ? Status.Serving : Status.NotServing, await CheckAsync(server, service));
        server.Engine.Status = new() { Draining = true };
        Assert.Equal(service == "liveness" ? Status.Serving : Status.NotServing, await CheckAsync(server, service));
    }

    [Fact]
    public async Task An_unknown_service_has_no_health()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        Assert.Equal(GrpcStatus.NotFound, (await Assert.ThrowsAsync<RpcFailure>(() => CheckAsync(server, "no.Such"))).Status);
        await using IAsyncEnumerator<HealthCheckResponse> watch = Watch(server, "no.Such");
        Assert.True(await watch.MoveNextAsync());
        Assert.Equal(Status.ServiceUnknown, watch.Current.Status);
    }

    [Fact]
    public async Task A_watch_tells_each_change_and_ends_with_the_server()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(ready: false);
        await using IAsyncEnumerator<HealthCheckResponse> watch = Watch(server, "readiness");
        await NextAsync(watch, Status.NotServing);
        server.Publish();
        await NextAsync(watch, Status.Serving);
        server.Engine.Status = new() { Draining = true };
        await NextAsync(watch, Status.NotServing);
        server.Engine.Status = new();
        await NextAsync(watch, Status.Serving);
        Task stop = server.StopAsync();
        await NextAsync(watch, Status.NotServing);
        Assert.Equal(GrpcStatus.Unavailable, (await Assert.ThrowsAsync<RpcFailure>(async () => await watch.MoveNextAsync())).Status);
        await stop.WaitAsync(Patience, Token);
    }

    [Theory]
    [InlineData("v1")]
    [InlineData("v1alpha")]
    public async Task Reflection_shows_enough_to_call_by(string version)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        List<ServerReflectionResponse> answers = await ReflectAsync(server, version,
            new() { ListServices = "" }, new() { FileContainingSymbol = "vllm.Inference" }, new() { FileByFilename = "control.proto" }, new() { FileContainingSymbol = "vllm.Nothing" },
            new() { FileContainingSymbol = "vllm.FinishInfo.FinishReason" }, new() { AllExtensionNumbersOfType = "vllm.GenerateRequest" });
        Assert.Equal(["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "vllm.Control", "vllm.Inference"], answers[0].ListServicesResponse.Service.Select(s => s.Name));
        Assert.Equal((int)GrpcStatus.NotFound, answers[3].ErrorResponse.ErrorCode);
        Assert.Equal("control.proto", File(answers[2].FileDescriptorResponse.FileDescriptorProto[0]).Name);
        Assert.Equal("vllm.GenerateRequest", answers[5].AllExtensionNumbersResponse.BaseTypeName);

        // In order of dependence, as a client must build them.
        IReadOnlyList<FileDescriptor> files = FileDescriptor.BuildFromByteStrings(answers[1].FileDescriptorResponse.FileDescriptorProto.Reverse());
        ServiceDescriptor inference = files[^1].Services.Single();
        Assert.Equal(["Generate", "GenerateStream"], inference.Methods.Select(m => m.Name));
        Assert.True(inference.Methods[1].IsServerStreaming);
    }

    [Fact]
    public async Task Reflection_can_be_switched_off()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new ServerOptions { Grpc = new() { Reflection = false } });
        Assert.Equal(GrpcStatus.Unimplemented, (await Assert.ThrowsAsync<RpcFailure>(() => ReflectAsync(server, "v1", new ServerReflectionRequest { ListServices = "" }))).Status);
    }

    private static Task<AbortResponse> AbortAsync(GrpcTestServer server, string key, params string[] ids) =>
        server.Client.CallAsync("vllm.Control/Abort", new AbortRequest { RequestIds = { ids } }, AbortResponse.Parser, Token, ("authorization", "Bearer " + key));

    private static async Task<Status> CheckAsync(GrpcTestServer server, string service) =>
        (await server.Client.CallAsync("grpc.health.v1.Health/Check", new HealthCheckRequest { Service = service }, HealthCheckResponse.Parser, Token)).Status;

    private static IAsyncEnumerator<HealthCheckResponse> Watch(GrpcTestServer server, string service) =>
        server.Client.StreamAsync("grpc.health.v1.Health/Watch", new HealthCheckRequest { Service = service }, HealthCheckResponse.Parser, Token).GetAsyncEnumerator(Token);

    private static async Task NextAsync(IAsyncEnumerator<HealthCheckResponse> watch, Status expected)
    {
        Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(Patience, Token));
        Assert.Equal(expected, watch.Current.Status);
    }

    private static async Task<List<ServerReflectionResponse>> ReflectAsync(GrpcTestServer server, string version, params ServerReflectionRequest[] requests)
    {
        List<ServerReflectionResponse> answers = [];
        await foreach (ServerReflectionResponse answer in server.Client.StreamAsync($"grpc.reflection.{version}.ServerReflection/ServerReflectionInfo", GrpcClient.Frame([.. requests]), ServerReflectionResponse.Parser, Token))
            answers.Add(answer);
        return answers;
    }

    private static FileDescriptorProto File(ByteString bytes) => FileDescriptorProto.Parser.ParseFrom(bytes);
}
