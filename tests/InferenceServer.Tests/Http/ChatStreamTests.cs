using System.Net;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Http;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Http;

public class ChatStreamTests
{
    private const string Path = "/v1/chat/completions";
    private const string Hi = """{"stream":true,"messages":[{"role":"user","content":"hi"}]""";

    [Fact]
    public async Task Chunks_come_in_order_and_in_OpenAIs_shape()
    {
        await using TestServer server = await TestServer.StartAsync();
        string[] events = await server.StreamAsync(Path, Hi + "}");
        Assert.Equal("[DONE]", events[^1]);
        List<JsonElement> chunks = Parse(events[..^1]);
        SchemaChecker schema = SchemaChecker.OpenAI();
        foreach (JsonElement chunk in chunks) schema.AssertValid("CreateChatCompletionStreamResponse", chunk);
        Assert.Single(chunks.Select(c => (c.GetProperty("id").GetString(), c.GetProperty("created").GetInt64(), c.GetProperty("model").GetString())).Distinct());
        Assert.Equal("""{"role":"assistant","content":""}""", Delta(chunks[0]).GetRawText());
        Assert.Equal("Hello", Content(chunks));
        Assert.Equal("{}", Delta(chunks[^1]).GetRawText());
        Assert.Equal("stop", Choice(chunks[^1]).GetProperty("finish_reason").GetString());
        Assert.All(chunks[..^1], c => Assert.Equal(JsonValueKind.Null, Choice(c).GetProperty("finish_reason").ValueKind));
        Assert.All(chunks, c => Assert.False(c.TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task Headers_keep_proxies_from_holding_events_back()
    {
        await using TestServer server = await TestServer.StartAsync();
        using HttpResponseMessage response = await server.PostAsync(Path, Hi + "}");
        Assert.Equal("no-cache", response.Headers.CacheControl!.ToString());
        Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.Matches(@"^ttft;dur=[\d.]+$", response.Headers.GetValues("Server-Timing").Single());
    }

    [Fact]
    public async Task Usage_comes_once_at_the_end_when_asked_for()
    {
        await using TestServer server = await TestServer.StartAsync();
        List<JsonElement> chunks = Parse((await server.StreamAsync(Path, Hi + ""","stream_options":{"include_usage":true}}"""))[..^1]);
        Assert.All(chunks[..^1], c => Assert.Equal(JsonValueKind.Null, c.GetProperty("usage").ValueKind));
        Assert.Equal(0, chunks[^1].GetProperty("choices").GetArrayLength());
        Assert.Equal(6, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        SchemaChecker.OpenAI().AssertValid("CreateChatCompletionStreamResponse", chunks[^1]);
    }

    [Fact]
    public async Task Continuous_usage_grows()
    {
        await using TestServer server = await TestServer.StartAsync();
        List<JsonElement> chunks = Parse((await server.StreamAsync(Path, Hi + ""","stream_options":{"include_usage":true,"continuous_usage_stats":true}}"""))[..^1]);
        int[] counts = [.. chunks.Select(c => c.GetProperty("usage").GetProperty("completion_tokens").GetInt32())];
        Assert.Equal(counts.Order(), counts);
        Assert.Equal([1, 2, 3, 4, 5], counts.Where(c => c is > 0 and < 6).Distinct());
        Assert.Equal(6, counts[^1]);
    }

    [Fact]
    public async Task Choices_are_streamed_side_by_side()
    {
        await using TestServer server = await TestServer.StartAsync();
        List<JsonElement> chunks = Parse((await server.StreamAsync(Path, Hi + ""","n":2}"""))[..^1]);
        Assert.Equal([0, 1], chunks.Take(2).Select(c => Choice(c).GetProperty("index").GetInt32()));
        Assert.Equal("1Hello", Content(chunks.Where(c => Choice(c).GetProperty("index").GetInt32() == 0)));
        Assert.Equal("2Hello", Content(chunks.Where(c => Choice(c).GetProperty("index").GetInt32() == 1)));
        Assert.Equal(2, chunks.Count(c => Choice(c).GetProperty("finish_reason").ValueKind == JsonValueKind.String));
    }

    [Fact]
    public async Task Logprobs_come_with_every_token_even_without_text()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Reply = "é!";
        List<JsonElement> chunks = Parse((await server.StreamAsync(Path, Hi + ""","logprobs":true}"""))[..^1]);
        SchemaChecker schema = SchemaChecker.OpenAI();
        foreach (JsonElement chunk in chunks) schema.AssertValid("CreateChatCompletionStreamResponse", chunk);
        Assert.Equal(3, chunks.Count(c => Choice(c).GetProperty("logprobs").ValueKind == JsonValueKind.Object));
        Assert.Equal("é!", Content(chunks));
    }

    [Fact]
    public async Task A_chunk_that_would_say_nothing_is_not_sent()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Reply = "é";
        string[] events = await server.StreamAsync(Path, Hi + "}");
        Assert.Equal(4, events.Length); // role, é, finish, [DONE]
    }

    [Fact]
    public async Task Text_held_back_for_a_stop_string_comes_before_the_finish()
    {
        await using TestServer server = await TestServer.StartAsync();
        List<JsonElement> chunks = Parse((await server.StreamAsync(Path, Hi + ""","stop":"lox"}"""))[..^1]);
        Assert.Equal("Hello", Content(chunks));
        Assert.Equal("{}", Delta(chunks[^1]).GetRawText());
    }

    [Fact]
    public async Task An_early_failure_keeps_its_status()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Script = g =>
        {
            g.FinishChoice(0, FinishReason.Deadline, "Too late.");
            g.Finish();
            return Task.CompletedTask;
        };
        JsonElement error = (await server.JsonAsync(Path, Hi + "}", 408)).GetProperty("error");
        Assert.Equal("deadline_exceeded", error.GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_late_failure_is_an_event_and_the_last()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Script = g =>
        {
            g.Text("He");
            g.FinishChoice(0, FinishReason.Error, "The logits held no number.");
            g.Finish();
            return Task.CompletedTask;
        };
        string[] events = await server.StreamAsync(Path, Hi + "}");
        JsonElement error = JsonDocument.Parse(events[^1]).RootElement;
        SchemaChecker.OpenAI().AssertValid("ErrorResponse", error);
        Assert.Equal("The logits held no number.", error.GetProperty("error").GetProperty("message").GetString());
        Assert.Equal("He", Content(Parse(events[..^1])));
        Assert.DoesNotContain("[DONE]", events);
    }

    [Fact]
    public async Task Nothing_is_promised_before_the_first_token()
    {
        await using TestServer server = await TestServer.StartAsync();
        TaskCompletionSource go = new();
        server.Engine.Script = async g =>
        {
            await go.Task;
            g.Answer("ok");
        };
        using HttpRequestMessage message = Streaming();
        Task<HttpResponseMessage> pending = server.Client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        await Task.Delay(150, TestContext.Current.CancellationToken);
        Assert.False(pending.IsCompleted);
        go.SetResult();
        using HttpResponseMessage response = await pending;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Long_waits_are_bridged_by_comments()
    {
        await using TestServer server = await TestServer.StartAsync(timing: new StreamTiming { PingInterval = TimeSpan.FromMilliseconds(40) });
        server.Engine.Script = async g =>
        {
            await Task.Delay(200);
            g.Answer("ok");
        };
        string[] events = await server.StreamAsync(Path, Hi + "}");
        Assert.InRange(events.Count(e => e == ": ping"), 2, 6);
        Assert.Equal("ok", Content(Parse(events.Where(e => e[0] == '{'))));
        Assert.Equal("[DONE]", events[^1]);
    }

    private static HttpRequestMessage Streaming() => new(HttpMethod.Post, new Uri(Path, UriKind.Relative)) { Content = new StringContent(Hi + "}", null, "application/json") };

    private static List<JsonElement> Parse(IEnumerable<string> events) => [.. events.Select(e => JsonDocument.Parse(e).RootElement)];

    private static JsonElement Choice(JsonElement chunk) => chunk.GetProperty("choices")[0];

    private static JsonElement Delta(JsonElement chunk) => Choice(chunk).GetProperty("delta");

    private static string Content(IEnumerable<JsonElement> chunks) =>
        string.Concat(chunks.Select(c => Delta(c).TryGetProperty("content", out JsonElement content) ? content.GetString() : ""));
}
