using System.Net;
using InferenceServer.Core.Requests;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire;
using InferenceServer.Http;
using InferenceServer.Options;

namespace InferenceServer.Tests.Grpc;

/// <summary>Deadlines, cancelling, aborting, and requests that are no gRPC.</summary>
public class CallTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(GrpcTestServer.Generate)]
    [InlineData(GrpcTestServer.GenerateStream)]
    public async Task A_deadline_ends_the_call_and_cancels_the_request(string method)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Script = g =>
        {
            g.Text("some");
            return Task.CompletedTask;
        };
        RpcFailure failure = await Assert.ThrowsAsync<RpcFailure>(() => DrainAsync(server, method, ("grpc-timeout", "200m")));
        Assert.Equal(GrpcStatus.DeadlineExceeded, failure.Status);
        await server.Engine.Generations[0].Cancelled.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.NotNull(server.Engine.LastRequest.DeadlineTimestamp);
        Assert.Equal(0, server.Running.Count);
    }

    [Fact]
    public async Task A_deadline_that_the_engine_saw_first_is_the_same()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Script = g =>
        {
            g.Text("so");
            g.FinishChoice(0, FinishReason.Deadline);
            g.Finish();
            return Task.CompletedTask;
        };
        RpcFailure failure = await Assert.ThrowsAsync<RpcFailure>(() => server.StreamAsync(new GenerateRequest { Text = "x" }));
        Assert.Equal(GrpcStatus.DeadlineExceeded, failure.Status);
    }

    [Fact]
    public async Task The_servers_own_time_limit_holds_without_a_deadline()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new ServerOptions { Http = new() { RequestTimeoutSeconds = 100 } });
        long before = TimeProvider.System.GetTimestamp();
        await server.AskAsync(new GenerateRequest { Text = "x" });
        double seconds = TimeProvider.System.GetElapsedTime(before, server.Engine.LastRequest.DeadlineTimestamp!.Value).TotalSeconds;
        Assert.InRange(seconds, 99, 130);
        await server.AskAsync(new GenerateRequest { Text = "x" }, ("grpc-timeout", "10S"));
        seconds = TimeProvider.System.GetElapsedTime(before, server.Engine.LastRequest.DeadlineTimestamp!.Value).TotalSeconds;
        Assert.InRange(seconds, 8, 40);
    }

    [Fact]
    public async Task A_malformed_deadline_is_refused()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = "x" }, ("grpc-timeout", "soon"));
        Assert.Equal(GrpcStatus.InvalidArgument, failure.Status);
        Assert.Contains("grpc-timeout", failure.Sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(GrpcTestServer.Generate, false)]
    [InlineData(GrpcTestServer.GenerateStream, false)]
    [InlineData(GrpcTestServer.GenerateStream, true)]
    public async Task Cancelling_cancels_the_request(string method, bool afterFirst)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        TaskCompletionSource asked = new();
        server.Engine.Script = g =>
        {
            if (afterFirst) g.Text("some");
            asked.SetResult();
            return Task.CompletedTask;
        };
        using CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Task call = Task.Run(async () =>
        {
            await foreach (GenerateResponse _ in server.Client.StreamAsync(method, new GenerateRequest { Text = "x" }, GenerateResponse.Parser, cancel.Token))
                if (afterFirst) await cancel.CancelAsync();
        });
        await asked.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.False(!afterFirst && server.Engine.Generations[0].Cancelled.IsCompleted);
        if (!afterFirst) await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await server.Engine.Generations[0].Cancelled.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_failure_amid_a_stream_comes_after_what_was_said()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Script = g =>
        {
            g.Text("abc");
            g.FinishChoice(0, FinishReason.Error, "Das Gerät fehlt.");
            g.Finish();
            return Task.CompletedTask;
        };
        string text = "";
        RpcFailure failure = await Assert.ThrowsAsync<RpcFailure>(async () =>
        {
            await foreach (GenerateResponse response in server.Client.StreamAsync(GrpcTestServer.GenerateStream, new GenerateRequest { Text = "x" }, GenerateResponse.Parser, TestContext.Current.CancellationToken))
                text += response.Outputs.Text;
        });
        Assert.Equal("abc", text);
        Assert.Equal((GrpcStatus.Internal, "Das Gerät fehlt.", false), (failure.Status, failure.Sentence, failure.TrailersOnly));
    }

    [Fact]
    public async Task Draining_is_unavailable()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Script = g =>
        {
            g.FinishChoice(0, FinishReason.Cancelled);
            g.Finish();
            return Task.CompletedTask;
        };
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = "x" });
        Assert.Equal(GrpcStatus.Unavailable, failure.Status);
        Assert.NotNull(failure.Trailer("retry-after"));
    }

    [Fact]
    public async Task A_slow_reader_holds_up_nobody_else_and_is_cut_off()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(timing: new StreamTiming { StallLimit = TimeSpan.FromMilliseconds(500) });
        server.Engine.Script = g =>
        {
            if (g.Request.MaxTokens == 20) g.Answer("quick");
            else for (int i = 0; i < 100_000; i++) g.Token(0, 'x'); // megabytes of messages, far more than a window
            return Task.CompletedTask;
        };
        using HttpResponseMessage slow = await server.Client.SendAsync(GrpcTestServer.GenerateStream,
            GrpcClient.Frame(new GenerateRequest { Text = "x", Stopping = new() { MaxNewTokens = 100_000 }, Response = new() { OutputTokenIds = true } }), TestContext.Current.CancellationToken);
        Assert.Equal("quick", (await server.AskAsync(new GenerateRequest { Text = "x" })).Outputs.Text); // on the same connection
        await server.Engine.Generations[0].Cancelled.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Compressed_messages_are_refused_and_the_client_told_what_is_taken()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = "x" }, ("grpc-encoding", "gzip"));
        Assert.Equal(GrpcStatus.Unimplemented, failure.Status);
        Assert.Equal("identity", failure.Trailer("grpc-accept-encoding"));
        Assert.Equal("Hello", (await server.AskAsync(new GenerateRequest { Text = "x" }, ("grpc-encoding", "identity"), ("grpc-accept-encoding", "gzip,identity"))).Outputs.Text);
    }

    [Fact]
    public async Task A_message_over_the_limit_is_refused()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new ServerOptions { Http = new() { MaxBodyBytes = 100_000 } });
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = new string('x', 120_000) });
        Assert.Equal(GrpcStatus.ResourceExhausted, failure.Status);
        Assert.Contains("100000", failure.Sentence, StringComparison.Ordinal);
        Assert.Equal("Hello", (await server.AskAsync(new GenerateRequest { Text = new string('x', 90_000) })).Outputs.Text);
    }

    [Theory]
    [InlineData("application/json", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/grpc-web", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/grpc+proto", HttpStatusCode.OK)]
    [InlineData("application/grpc;charset=utf-8", HttpStatusCode.OK)]
    public async Task Only_gRPC_is_taken(string contentType, HttpStatusCode expected)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using HttpResponseMessage response = await server.Client.SendAsync(GrpcTestServer.Generate,
            GrpcClient.Frame(new GenerateRequest { Text = "x" }), TestContext.Current.CancellationToken, ("content-type", contentType));
        Assert.Equal(expected, response.StatusCode);
    }

    [Theory]
    [InlineData("vllm.Inference/Nothing")]
    [InlineData("vllm.Control/Shutdown")]
    [InlineData("no.Such/Service")]
    [InlineData("x")]
    public async Task Unknown_methods_are_unimplemented(string method)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        RpcFailure failure = await Assert.ThrowsAsync<RpcFailure>(() => DrainAsync(server, method));
        Assert.Equal(GrpcStatus.Unimplemented, failure.Status);
        Assert.Contains(method, failure.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_or_two_messages_are_refused()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        GenerateRequest request = new() { Text = "x" };
        foreach (byte[] body in new[] { [], GrpcClient.Frame(request, request), GrpcClient.Frame(request)[..^1] })
            Assert.Equal(GrpcStatus.Internal, (await FailRawAsync(server, body)).Status);
        Assert.Empty(server.Engine.Generations);
    }

    [Fact]
    public async Task Random_bytes_end_in_a_status_and_harm_nothing()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        Random random = new(20260);
        byte[] good = GrpcClient.Frame(new GenerateRequest { Text = "hello", Sampling = new() { Seed = 5 }, Decoding = new() { LogitBias = { { 3, 1f } } } });
        for (int i = 0; i < 400; i++)
        {
            byte[] body = [.. good];
            if (i % 2 == 0) random.NextBytes(body.AsSpan(5));
            else body = body[..random.Next(body.Length)];
            for (int flips = random.Next(4); flips > 0 && body.Length > 5; flips--) body[random.Next(5, body.Length)] = (byte)random.Next(256);
            if (i % 7 == 0) random.NextBytes(body);
            RpcFailure? failure = null;
            try
            {
                await foreach (GenerateResponse _ in server.Client.StreamAsync(GrpcTestServer.Generate, body, GenerateResponse.Parser, TestContext.Current.CancellationToken)) ;
            }
            catch (RpcFailure e)
            {
                failure = e;
            }

            Assert.True(failure is null or { Status: GrpcStatus.Internal or GrpcStatus.InvalidArgument or GrpcStatus.NotFound or GrpcStatus.ResourceExhausted }, $"round {i}: {failure?.Message}");
            Assert.DoesNotContain("The server failed", failure?.Sentence ?? "", StringComparison.Ordinal);
        }

        Assert.Equal("Hello", (await server.AskAsync(new GenerateRequest { Text = "x" })).Outputs.Text);
        Assert.Equal(0, server.Running.Count);
    }

    [Fact]
    public async Task Unknown_fields_are_ignored()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        byte[] good = GrpcClient.Frame(new GenerateRequest { Text = "x" });
        byte[] more = [.. good, 0xF8, 0x07, 0x01]; // field 127, a varint
        more[4] += 3;
        List<GenerateResponse> responses = [];
        await foreach (GenerateResponse response in server.Client.StreamAsync(GrpcTestServer.Generate, more, GenerateResponse.Parser, TestContext.Current.CancellationToken)) responses.Add(response);
        Assert.Equal("Hello", Assert.Single(responses).Outputs.Text);
    }

    private static async Task DrainAsync(GrpcTestServer server, string method, params (string, string)[] metadata)
    {
        await foreach (GenerateResponse _ in server.Client.StreamAsync(method, new GenerateRequest { Text = "x" }, GenerateResponse.Parser, TestContext.Current.CancellationToken, metadata)) ;
    }

    private static Task<RpcFailure> FailRawAsync(GrpcTestServer server, byte[] body) => Assert.ThrowsAsync<RpcFailure>(async () =>
    {
        await foreach (GenerateResponse _ in server.Client.StreamAsync(GrpcTestServer.Generate, body, GenerateResponse.Parser, TestContext.Current.CancellationToken)) ;
    });
}
