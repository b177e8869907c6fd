using System.Net;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Http;

public class StateTests
{
    [Fact]
    public async Task Models_are_listed_in_OpenAIs_shape()
    {
        await using TestServer server = await TestServer.StartAsync();
        SchemaChecker schema = SchemaChecker.OpenAI();
        JsonElement list = await server.GetAsync("/v1/models");
        schema.AssertValid("ListModelsResponse", list);
        Assert.Equal("test-model", list.GetProperty("data")[0].GetProperty("id").GetString());
        JsonElement model = await server.GetAsync("/v1/models/test-model");
        schema.AssertValid("Model", model);
        Assert.Equal(4096, model.GetProperty("max_model_len").GetInt32());
    }

    [Fact]
    public async Task Health_follows_the_engine()
    {
        await using TestServer server = await TestServer.StartAsync();
        Assert.Equal("ok", (await server.GetAsync("/health")).GetProperty("status").GetString());
        server.Engine.Status = new EngineStatus { Healthy = false, Fault = "step 7 failed" };
        Assert.Equal("step 7 failed", (await server.GetAsync("/health", 503)).GetProperty("reason").GetString());
        server.Engine.Status = new EngineStatus { Draining = true };
        Assert.Equal("draining", (await server.GetAsync("/health", 503)).GetProperty("status").GetString());
        Assert.Equal("alive", (await server.GetAsync("/alive")).GetProperty("status").GetString());
        Assert.NotEmpty((await server.GetAsync("/version")).GetProperty("version").GetString()!);
    }

    [Theory]
    [InlineData("/health")]
    [InlineData("/alive")]
    [InlineData("/v1/models")]
    [InlineData("/")]
    public async Task Head_is_answered(string path)
    {
        await using TestServer server = await TestServer.StartAsync();
        using HttpRequestMessage head = new(HttpMethod.Head, new Uri(path, UriKind.Relative));
        using HttpResponseMessage response = await server.Client.SendAsync(head, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Text_becomes_tokens_and_text_again()
    {
        await using TestServer server = await TestServer.StartAsync();
        JsonElement tokens = await server.JsonAsync("/tokenize", """{"prompt":"é!","return_token_strs":true}""");
        Assert.Equal("""{"count":4,"max_model_len":4096,"tokens":[256,195,169,33],"token_strs":["<bos>","\uFFFD","\uFFFD","!"]}""".Replace("\\uFFFD", "\uFFFD", StringComparison.Ordinal), tokens.GetRawText());
        Assert.Equal(3, (await server.JsonAsync("/tokenize", """{"prompt":"é!","add_special_tokens":false}""")).GetProperty("count").GetInt32());
        Assert.Equal(5, (await server.JsonAsync("/tokenize", """{"messages":[{"role":"user","content":"hi"}]}""")).GetProperty("count").GetInt32());
        Assert.Equal("<bos>é!", (await server.JsonAsync("/detokenize", """{"tokens":[256,195,169,33]}""")).GetProperty("prompt").GetString());
    }

    [Theory]
    [InlineData("/tokenize", "{}", "prompt")]
    [InlineData("/tokenize", "{\"prompt\":5}", "prompt")]
    [InlineData("/tokenize", "{\"prompt\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "prompt")]
    [InlineData("/tokenize", "{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content")]
    [InlineData("/detokenize", "{}", "tokens")]
    [InlineData("/detokenize", "{\"tokens\":[1,262]}", "tokens[1]")]
    [InlineData("/detokenize", "{\"tokens\":[1.5]}", "tokens[0]")]
    public async Task Wrong_text_requests_are_named(string path, string body, string param)
    {
        await using TestServer server = await TestServer.StartAsync();
        Assert.Equal(param, (await server.JsonAsync(path, body, 400)).GetProperty("error").GetProperty("param").GetString());
    }
}
