using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Http;

/// <summary>Other people's collections of bad input, against every endpoint that reads JSON.</summary>
public class BadInputTests
{
    private static readonly string[] Endpoints = ["/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize"];

    [Fact]
    public async Task Broken_JSON_is_a_400_and_odd_JSON_never_our_failure()
    {
        string[] files = Directory.GetFiles(SharedData.PathOf("bad-inputs/JSONTestSuite/test_parsing"), "*.json");
        Assert.NotEmpty(files);
        await using TestServer server = await TestServer.StartAsync();
        foreach (string file in files)
        {
            byte[] body = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
            foreach (string endpoint in Endpoints)
            {
                using HttpResponseMessage response = await server.PostAsync(endpoint, body);
                string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                Assert.True(response.StatusCode == HttpStatusCode.BadRequest, $"{Path.GetFileName(file)} at {endpoint}: {(int)response.StatusCode} {text}");
                Assert.Equal("invalid_request_error", JsonDocument.Parse(text).RootElement.GetProperty("error").GetProperty("type").GetString());
            }
        }

        Assert.Empty(server.Engine.Generations);
    }

    /// <summary>Whatever is valid JSON inside a valid request is answered, refused, or ignored.</summary>
    [Fact]
    public async Task Odd_JSON_in_any_field_is_never_our_failure()
    {
        string[] files = Directory.GetFiles(SharedData.PathOf("bad-inputs/JSONTestSuite/test_parsing"), "?_*.json");
        await using TestServer server = await TestServer.StartAsync();
        foreach (string file in files)
        {
            byte[] value = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
            if (value.Length > 10_000) continue;
            foreach (string field in new[] { "model", "stop", "tools", "chat_template_kwargs", "unknown" })
            {
                byte[] body = [.. Encoding.UTF8.GetBytes("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"" + field + "\":"), .. value, (byte)'}'];
                using HttpResponseMessage response = await server.PostAsync(Endpoints[0], body);
                Assert.True((int)response.StatusCode is 200 or 400 or 404, $"{Path.GetFileName(file)} as {field}: {(int)response.StatusCode}");
            }
        }
    }

    /// <summary>A size beyond 64 bits, which Kestrel reports as a failure of its own rather than as a bad request.</summary>
    [Fact]
    public async Task A_chunk_of_a_size_that_no_number_holds_is_a_400()
    {
        await using TestServer server = await TestServer.StartAsync();
        using TcpClient client = new();
        await client.ConnectAsync(server.Url.Host, server.Url.Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        using StreamReader reader = new(client.GetStream());
        Assert.Equal("HTTP/1.1 400 Bad Request", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Naughty_strings_come_back_as_they_went()
    {
        string[] strings = JsonSerializer.Deserialize<string[]>(await File.ReadAllBytesAsync(SharedData.PathOf("bad-inputs/blns/blns.json"), TestContext.Current.CancellationToken))!;
        Assert.True(strings.Length > 500);
        await using TestServer server = await TestServer.StartAsync();
        foreach (string text in strings)
        {
            server.Engine.Reply = text;
            object stop = text.Length == 0 ? "x" : text;
            string body = JsonSerializer.Serialize(new { user = text, messages = new[] { new { role = "user", name = text, content = text } }, metadata = new Dictionary<string, string> { [text] = text } });
            JsonElement answer = await server.JsonAsync(Endpoints[0], body);
            Assert.Equal(text, answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
            Assert.Equal(text, server.Template.Last!.Messages[0].GetProperty("content").GetString());

            string[] events = await server.StreamAsync(Endpoints[0], body[..^1] + ",\"stream\":true}");
            Assert.Equal(text, string.Concat(events[..^1].Select(Content)));

            using HttpResponseMessage stopped = await server.PostAsync(Endpoints[1], JsonSerializer.Serialize(new { prompt = text + "a", stop, max_tokens = Math.Max(1, 4000 - text.Length * 4) }));
            Assert.Equal(HttpStatusCode.OK, stopped.StatusCode);
            if (text.Length == 0) continue;
            using HttpResponseMessage model = await server.PostAsync(Endpoints[1], JsonSerializer.Serialize(new { prompt = "a", model = text }));
            Assert.Equal(HttpStatusCode.NotFound, model.StatusCode);
        }
    }

    private static string? Content(string chunk) => JsonDocument.Parse(chunk).RootElement.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("content", out JsonElement content) ? content.GetString() : "";
}
