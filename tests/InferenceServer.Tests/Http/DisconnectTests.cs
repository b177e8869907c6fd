using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using InferenceServer.Http;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Http;

/// <summary>Clients that leave or read slowly.</summary>
public class DisconnectTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData("/v1/chat/completions", true)]
    [InlineData("/v1/chat/completions", false)]
    [InlineData("/v1/completions", true)]
    public async Task Leaving_before_the_first_token_cancels(string path, bool stream)
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Script = _ => Task.CompletedTask; // says nothing
        using (TcpClient client = await AskAsync(server, path, stream)) await WaitForRequestAsync(server);
        await server.Engine.Generations[0].Cancelled.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Leaving_amid_the_stream_cancels()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Script = g =>
        {
            g.Text("some");
            return Task.CompletedTask;
        };
        using (TcpClient client = await AskAsync(server, "/v1/chat/completions", stream: true))
        {
            byte[] read = new byte[4096];
            Assert.True(await client.GetStream().ReadAsync(read, TestContext.Current.CancellationToken) > 0);
            Assert.False(server.Engine.Generations[0].Cancelled.IsCompleted);
        }

        await server.Engine.Generations[0].Cancelled.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_slow_reader_holds_up_nobody_else_and_is_cut_off()
    {
        await using TestServer server = await TestServer.StartAsync(timing: new StreamTiming { StallLimit = TimeSpan.FromMilliseconds(500) });
        server.Engine.Script = g =>
        {
            if (g.Request.MaxTokens == 1_000) g.Answer("quick");
            else for (int i = 0; i < 100_000; i++) g.Token(0, 'x'); // some 20 MB of events, far more than sockets hold
            return Task.CompletedTask;
        };
        using TcpClient slow = await AskAsync(server, "/v1/chat/completions", stream: true);
        await WaitForRequestAsync(server);
        Stopwatch watch = Stopwatch.StartNew();
        string[] events = await server.StreamAsync("/v1/chat/completions", """{"stream":true,"max_tokens":1000,"messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal("[DONE]", events[^1]);
        Assert.True(watch.Elapsed < Patience);
        await server.Engine.Generations[0].Cancelled.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    private static async Task<TcpClient> AskAsync(TestServer server, string path, bool stream)
    {
        TcpClient client = new() { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(server.Url.Host, server.Url.Port, TestContext.Current.CancellationToken);
        string body = $"{{\"stream\":{(stream ? "true" : "false")},\"prompt\":\"hi\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}";
        byte[] request = Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await client.GetStream().WriteAsync(request, TestContext.Current.CancellationToken);
        return client;
    }

    private static async Task WaitForRequestAsync(TestServer server)
    {
        for (Stopwatch watch = Stopwatch.StartNew(); server.Engine.Generations.Count == 0;)
        {
            Assert.True(watch.Elapsed < Patience, "The request did not arrive.");
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }
}
