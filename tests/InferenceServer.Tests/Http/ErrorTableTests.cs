using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Options;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Http;

/// <summary>Status, type, code and headers of everything that can go wrong.</summary>
public class ErrorTableTests
{
    private const string Chat = "/v1/chat/completions";
    private const string Hi = """{"messages":[{"role":"user","content":"hi"}]}""";

    private static readonly ServerOptions WithKey = new() { Auth = new AuthOptions { ApiKeys = ["secret-key"] } };

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer wrong")]
    [InlineData("Bearer ")]
    [InlineData("Basic c2VjcmV0LWtleQ==")]
    public async Task Without_the_key_nothing_is_answered(string? authorization)
    {
        await using TestServer server = await TestServer.StartAsync(WithKey);
        if (authorization is not null) server.Client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", authorization);
        foreach (string path in new[] { "/v1/models", "/v1/models/test-model", "/v1/no-such-thing", "/tokenize" })
        {
            using HttpResponseMessage response = await server.Client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
            await AssertErrorAsync(response, 401, "authentication_error", "invalid_api_key");
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().ToString());
        }

        using HttpResponseMessage chat = await server.PostAsync(Chat, Hi);
        string text = await AssertErrorAsync(chat, 401, "authentication_error", "invalid_api_key");
        Assert.DoesNotContain("wrong", text, StringComparison.Ordinal);
        Assert.Empty(server.Engine.Generations);
    }

    [Fact]
    public async Task The_key_opens_and_state_needs_none()
    {
        await using TestServer server = await TestServer.StartAsync(WithKey);
        foreach (string path in new[] { "/health", "/alive", "/version", "/openapi.json" }) await server.GetAsync(path);
        server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "secret-key");
        await server.JsonAsync(Chat, Hi);
        Assert.StartsWith("key-", server.Engine.LastRequest.Tenant, StringComparison.Ordinal);
        Assert.NotEqual(0ul, server.Engine.LastRequest.CacheSalt);
    }

    [Theory]
    [InlineData(RejectionKind.RateLimited, "rate_limit_exceeded", 429, "rate_limit_error", 1500, "2", "1500", null)]
    [InlineData(RejectionKind.RateLimited, "insufficient_quota", 429, "insufficient_quota", 61_000, "61", "61000", "false")]
    [InlineData(RejectionKind.Unavailable, "overloaded", 503, "server_error", null, "1", "1000", null)]
    [InlineData(RejectionKind.Unavailable, "draining", 503, "server_error", 30_000, "30", "30000", null)]
    public async Task Try_again_says_when(RejectionKind kind, string code, int status, string type, int? retryMs, string retryAfter, string retryAfterMs, string? shouldRetry)
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Rejection = new RequestRejected(kind, code, null, "Later.") { RetryAfter = retryMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null };
        using HttpResponseMessage response = await server.PostAsync(Chat, Hi);
        await AssertErrorAsync(response, status, type, code);
        Assert.Equal(retryAfter, Header(response, "Retry-After"));
        Assert.Equal(retryAfterMs, Header(response, "retry-after-ms"));
        Assert.Equal(shouldRetry, Header(response, "x-should-retry"));
    }

    [Fact]
    public async Task While_the_model_loads_it_says_so()
    {
        await using TestServer server = await TestServer.StartAsync(ready: false);
        using (HttpResponseMessage response = await server.PostAsync(Chat, Hi))
        {
            await AssertErrorAsync(response, 503, "server_error", "model_loading");
            Assert.Equal("1", Header(response, "Retry-After"));
        }

        Assert.Equal("loading", (await server.GetAsync("/health", 503)).GetProperty("status").GetString());
        server.Models.Fail("The file is cut off.");
        Assert.Equal("The file is cut off.", (await server.GetAsync("/health", 503)).GetProperty("reason").GetString());
        await server.GetAsync("/alive");
    }

    [Fact]
    public async Task An_unknown_model_is_not_found()
    {
        await using TestServer server = await TestServer.StartAsync();
        using HttpResponseMessage chat = await server.PostAsync(Chat, """{"model":"gpt-4","messages":[{"role":"user","content":"hi"}]}""");
        await AssertErrorAsync(chat, 404, "invalid_request_error", "model_not_found");
        using HttpResponseMessage one = await server.Client.GetAsync(new Uri("/v1/models/org/gpt-4%ff", UriKind.Relative), TestContext.Current.CancellationToken);
        await AssertErrorAsync(one, 404, "invalid_request_error", "model_not_found");
    }

    [Fact]
    public async Task Paths_methods_and_media_types_have_the_error_shape()
    {
        await using TestServer server = await TestServer.StartAsync();
        using HttpResponseMessage path = await server.PostAsync("/v1/nothing", "{}");
        await AssertErrorAsync(path, 404, "invalid_request_error", "unknown_url");
        using HttpResponseMessage method = await server.Client.GetAsync(new Uri(Chat, UriKind.Relative), TestContext.Current.CancellationToken);
        await AssertErrorAsync(method, 405, "invalid_request_error", "method_not_allowed");
        Assert.Equal("POST", method.Content.Headers.Allow.Single());
        using HttpResponseMessage media = await server.PostAsync(Chat, Hi, "text/plain");
        await AssertErrorAsync(media, 415, "invalid_request_error", "unsupported_media_type");
        using HttpResponseMessage none = await server.PostAsync(Chat, Hi, null);
        Assert.Equal(HttpStatusCode.OK, none.StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_large_body_is_a_413(bool chunked)
    {
        await using TestServer server = await TestServer.StartAsync(new ServerOptions { Http = new HttpOptions { MaxBodyBytes = 10_000 } });
        using HttpRequestMessage request = new(HttpMethod.Post, new Uri(Chat, UriKind.Relative)) { Content = new ByteArrayContent(new byte[20_000]) };
        request.Headers.TransferEncodingChunked = chunked;
        request.Headers.ExpectContinue = true;
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        await AssertErrorAsync(response, 413, "invalid_request_error", "request_too_large");
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(5, true)]
    public async Task The_servers_time_limit_is_the_engines_deadline(int seconds, bool expected)
    {
        await using TestServer server = await TestServer.StartAsync(new ServerOptions { Http = new HttpOptions { RequestTimeoutSeconds = seconds } });
        await server.JsonAsync(Chat, Hi);
        Assert.Equal(expected, server.Engine.LastRequest.DeadlineTimestamp is not null);
    }

    [Fact]
    public async Task A_body_of_megabytes_is_read()
    {
        await using TestServer server = await TestServer.StartAsync();
        using HttpResponseMessage response = await server.PostAsync("/tokenize", $"{{\"prompt\":\"{new string('a', 5_000_000)}\"}}");
        Assert.Equal(5_000_001, (await TestServer.ReadAsync(response, 200)).GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task Our_own_failures_tell_the_request_id_and_no_more()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Reply = null!; // the fake throws
        using HttpResponseMessage response = await server.PostAsync(Chat, Hi);
        string text = await AssertErrorAsync(response, 500, "server_error", "internal_error");
        Assert.Contains(Header(response, "x-request-id")!, text, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("my-id.7_A", true)]
    [InlineData("has space", false)]
    [InlineData("ünicode", false)]
    [InlineData("a/b", false)]
    [InlineData("", false)]
    public async Task A_sane_request_id_is_kept(string id, bool kept)
    {
        await using TestServer server = await TestServer.StartAsync();
        using HttpRequestMessage request = new(HttpMethod.Post, new Uri(Chat, UriKind.Relative)) { Content = new StringContent(Hi, Encoding.UTF8, "application/json") };
        if (id.All(char.IsAscii)) request.Headers.TryAddWithoutValidation("x-request-id", id);
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        string answered = Header(response, "x-request-id")!;
        Assert.Equal(kept, answered == id);
        Assert.Equal("chatcmpl-" + answered, (await TestServer.ReadAsync(response, 200)).GetProperty("id").GetString());
    }

    private static async Task<string> AssertErrorAsync(HttpResponseMessage response, int status, string type, string code)
    {
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(status == (int)response.StatusCode, string.Create(CultureInfo.InvariantCulture, $"{(int)response.StatusCode}: {text}"));
        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        Assert.NotNull(Header(response, "x-request-id"));
        JsonElement error = JsonDocument.Parse(text).RootElement.GetProperty("error");
        Assert.Equal(["code", "message", "param", "type"], error.EnumerateObject().Select(p => p.Name).Order());
        Assert.Equal((type, code), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        return text;
    }

    private static string? Header(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.Single() : null;
}
