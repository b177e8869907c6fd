using System.Diagnostics;
using InferenceServer.Grpc.Wire;

namespace InferenceServer.Tests.Grpc;

/// <summary>How fast the layer is, client and server on one machine. Explicit: a measurement, not a check. Run it with -explicit only.</summary>
public class ThroughputTests(ITestOutputHelper output)
{
    private const int Messages = 190_000;

    [Fact(Explicit = true)]
    public async Task Streamed_messages_per_second()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Reply = new string('x', Messages);
        GenerateRequest request = new() { Text = "x", Stopping = new() { MaxNewTokens = Messages }, Response = new() { OutputTokenIds = true } };
        for (int round = 0; round < 4; round++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            using HttpResponseMessage response = await server.Client.SendAsync(GrpcTestServer.GenerateStream, GrpcClient.Frame(request), TestContext.Current.CancellationToken);
            await using Stream stream = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
            await stream.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken);
            output.WriteLine($"{Messages / watch.Elapsed.TotalSeconds:N0} messages/s, {watch.Elapsed.TotalMicroseconds / Messages:N2} us a message");
        }
    }

    [Fact(Explicit = true)]
    public async Task Unary_calls_per_second()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        GenerateRequest request = new() { Text = "x" };
        for (int round = 0; round < 4; round++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, 64).Select(async _ =>
            {
                for (int i = 0; i < 100; i++) await server.AskAsync(request);
            }));
            output.WriteLine($"{6400 / watch.Elapsed.TotalSeconds:N0} calls/s of 64 at once");
        }
    }
}
