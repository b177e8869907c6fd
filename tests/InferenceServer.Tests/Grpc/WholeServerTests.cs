using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire;
using InferenceServer.Grpc.Wire.Health;
using InferenceServer.Hosting;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace InferenceServer.Tests.Grpc;

/// <summary>The gRPC door of the whole server, with a real model behind it.</summary>
public sealed class WholeServerTests : IAsyncLifetime
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    private ServerHost? _server;
    private GrpcClient? _client;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private EngineStatus Status => _server!.Services.GetRequiredService<ModelRegistry>().Ready!.Engine.Status;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerHost.StartAsync(new ServerOptions
        {
            Model = new() { Path = TestModels.Stories },
            Http = new() { Port = 0, DrainSeconds = 60 },
            Grpc = new() { Port = 0 },
            Kv = new() { Memory = 64 << 20 },
            Cpu = new() { Threads = 1 },
        }, Token);
        Assert.True(await _server.WaitUntilReadyAsync());
        _client = new GrpcClient(new Uri(_server.GrpcUrl!));
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_story_is_the_same_whole_and_streamed()
    {
        GenerateRequest request = new() { Text = "Once upon a time", Temperature = 0, Stopping = new() { MaxNewTokens = 40 }, Response = new() { OutputTokenIds = true } };
        GenerateResponse whole = await _client!.CallAsync(GrpcTestServer.Generate, request, GenerateResponse.Parser, Token);
        List<GenerateResponse> stream = [];
        await foreach (GenerateResponse response in _client.StreamAsync(GrpcTestServer.GenerateStream, request, GenerateResponse.Parser, Token)) stream.Add(response);
        Assert.Equal(40, whole.Outputs.TokenIds.Count);
        Assert.Equal(whole.Outputs.TokenIds, stream.SelectMany(r => r.Outputs.TokenIds));
        Assert.Equal(whole.Outputs.Text, string.Concat(stream.Select(r => r.Outputs.Text)));
        Assert.StartsWith(", there was", whole.Outputs.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_frees_the_blocks_at_once()
    {
        using CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (GenerateResponse _ in _client!.StreamAsync(GrpcTestServer.GenerateStream, Endless(), GenerateResponse.Parser, cancel.Token)) await cancel.CancelAsync();
        });
        await AssertFreedAsync();
    }

    [Fact]
    public async Task A_deadline_frees_the_blocks_at_once()
    {
        RpcFailure failure = await Assert.ThrowsAsync<RpcFailure>(async () =>
        {
            await foreach (GenerateResponse _ in _client!.StreamAsync(GrpcTestServer.GenerateStream, Endless(), GenerateResponse.Parser, Token, ("grpc-timeout", "100m"))) ;
        });
        Assert.Equal(GrpcStatus.DeadlineExceeded, failure.Status);
        await AssertFreedAsync();
    }

    [Fact]
    public async Task An_abort_frees_the_blocks_at_once()
    {
        GenerateRequest request = Endless();
        request.RequestId = "endless";
        GenerateResponse? last = null;
        await foreach (GenerateResponse response in _client!.StreamAsync(GrpcTestServer.GenerateStream, request, GenerateResponse.Parser, Token))
        {
            if (last is null) await _client.CallAsync("vllm.Control/Abort", new AbortRequest { RequestIds = { "endless" } }, AbortResponse.Parser, Token);
            last = response;
        }

        Assert.Equal(FinishInfo.Types.FinishReason.Aborted, last!.Outputs.FinishInfo.FinishReason);
        await AssertFreedAsync();
    }

    [Fact]
    public async Task Draining_lets_what_runs_finish_and_refuses_the_rest()
    {
        Task? stopping = null;
        int finished = 0;
        await using IAsyncEnumerator<HealthCheckResponse> watch =
            _client!.StreamAsync("grpc.health.v1.Health/Watch", new HealthCheckRequest(), HealthCheckResponse.Parser, Token).GetAsyncEnumerator(Token);
        Assert.True(await watch.MoveNextAsync() && watch.Current.Status == HealthCheckResponse.Types.ServingStatus.Serving);
        await foreach (GenerateResponse response in _client.StreamAsync(GrpcTestServer.GenerateStream, Endless(sequences: 8), GenerateResponse.Parser, Token))
        {
            if (stopping is null)
            {
                stopping = Task.Run(_server!.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication, Token); // returns when all is drained
                Assert.True(await watch.MoveNextAsync() && watch.Current.Status == HealthCheckResponse.Types.ServingStatus.NotServing);
                await AssertDrainingAsync();
            }

            if (response.Outputs.FinishInfo is { FinishReason: FinishInfo.Types.FinishReason.Length }) finished++;
        }

        Assert.Equal(8, finished);
        await stopping!.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Assert.Equal(GrpcStatus.Unavailable, (await Assert.ThrowsAsync<RpcFailure>(async () => await watch.MoveNextAsync())).Status);
    }

    /// <summary>The whole context, several times: long enough that it is not finished before it is ended, however late the client comes.</summary>
    private static GenerateRequest Endless(uint sequences = 32) => new()
    {
        Text = "Once",
        Sampling = new() { NumSequences = sequences },
        Stopping = new() { MaxNewTokens = 480, IgnoreEos = true },
    };

    private async Task AssertDrainingAsync()
    {
        while (!Status.Draining) await Task.Delay(1, Token);
        RpcFailure refused = await Assert.ThrowsAsync<RpcFailure>(() =>
            _client!.CallAsync(GrpcTestServer.Generate, new GenerateRequest { Text = "Once" }, GenerateResponse.Parser, Token));
        Assert.Equal((GrpcStatus.Unavailable, "draining"), (refused.Status, refused.Trailer("error-code")));
        Assert.NotNull(refused.Trailer("retry-after"));
    }

    private async Task AssertFreedAsync()
    {
        for (Stopwatch watch = Stopwatch.StartNew(); Status.BlocksUsed > 0; await Task.Delay(5, Token))
            Assert.True(watch.Elapsed < Soon, $"{Status.BlocksUsed} blocks are still held seconds later.");
        Assert.Equal(0, _server!.Services.GetRequiredService<RunningRequests>().Count);
    }
}
