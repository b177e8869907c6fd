using System.Net;
using System.Net.Sockets;
using System.Text;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>Requests meant to hurt, against the whole server.</summary>
public class HostileRequestTests
{
    [Fact]
    public async Task A_chunk_size_beyond_all_bounds_is_the_callers_fault()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        using TcpClient client = new();
        await client.ConnectAsync("127.0.0.1", new Uri(server.HttpUrl).Port, TestContext.Current.CancellationToken);
        await using NetworkStream stream = client.GetStream();
        await stream.WriteAsync("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n{}\r\n0\r\n\r\n"u8.ToArray(),
            TestContext.Current.CancellationToken);
        using StreamReader reader = new(stream, Encoding.ASCII);
        string? status = await reader.ReadLineAsync(TestContext.Current.CancellationToken);
        Assert.Equal("HTTP/1.1 400 Bad Request", status);
    }

    [Theory]
    [InlineData("/v1/completions", """{"prompt":"*"}""")]
    [InlineData("/v1/chat/completions", """{"messages":[{"role":"user","content":"*"}]}""")]
    public async Task A_text_that_cannot_fit_is_refused_before_it_is_tokenized(string path, string body)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        using StringContent huge = new(body.Replace("*", new string('x', 10 << 20), StringComparison.Ordinal), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await server.Http.PostAsync(path, huge, TestContext.Current.CancellationToken);
        string answer = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("context_length_exceeded", answer, StringComparison.Ordinal);
        Assert.Contains("characters", answer, StringComparison.Ordinal);
    }
}
