using System.Text.Json;
using InferenceServer.Options;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Http;

/// <summary>Every refusal names the field, keeps the shape, and never reaches the engine.</summary>
public class RefusalTests
{
    [Theory]
    [InlineData("temperature", "2.5")]
    [InlineData("temperature", "-0.1")]
    [InlineData("temperature", "\"hot\"")]
    [InlineData("temperature", "1e999")]
    [InlineData("top_p", "1.1")]
    [InlineData("top_k", "-2")]
    [InlineData("top_k", "1.5")]
    [InlineData("min_p", "2")]
    [InlineData("typical_p", "0")]
    [InlineData("presence_penalty", "3")]
    [InlineData("frequency_penalty", "[]")]
    [InlineData("repetition_penalty", "0")]
    [InlineData("n", "0")]
    [InlineData("n", "100000")]
    [InlineData("n", "true")]
    [InlineData("max_tokens", "0")]
    [InlineData("max_tokens", "1.5")]
    [InlineData("max_tokens", "99999999999999999999")]
    [InlineData("max_completion_tokens", "-1")]
    [InlineData("seed", "1.5")]
    [InlineData("seed", "\"1\"")]
    [InlineData("stream", "\"yes\"")]
    [InlineData("stream_options", "{}")]
    [InlineData("stop", "5")]
    [InlineData("stop", "\"\"")]
    [InlineData("stop", "[\"a\",1]", "stop[1]")]
    [InlineData("logprobs", "5")]
    [InlineData("top_logprobs", "3")]
    [InlineData("top_logprobs", "21")]
    [InlineData("logit_bias", "[]")]
    [InlineData("logit_bias", "{\"a\":1}")]
    [InlineData("logit_bias", "{\"1.5\":1}")]
    [InlineData("logit_bias", "{\"1\":101}", "logit_bias.1")]
    [InlineData("logit_bias", "{\"1\":\"x\"}", "logit_bias.1")]
    [InlineData("logit_bias", "{\"262\":1}")]
    [InlineData("allowed_token_ids", "[]")]
    [InlineData("allowed_token_ids", "[262]")]
    [InlineData("stop_token_ids", "[-1]", "stop_token_ids[0]")]
    [InlineData("bad_words", "[5]", "bad_words[0]")]
    [InlineData("min_tokens", "5,\"max_tokens\":2")]
    [InlineData("model", "5")]
    [InlineData("priority", "\"high\"")]
    [InlineData("chat_template_kwargs", "[]")]
    [InlineData("chat_template_kwargs", "{\"bos_token\":\"x\"}", "chat_template_kwargs.bos_token")]
    [InlineData("chat_template_kwargs", "{\"refuse\":1}", "messages")]
    [InlineData("tools", "{}")]
    [InlineData("tools", "[1]", "tools[0]")]
    public async Task A_wrong_value_is_named(string field, string value, string? param = null)
    {
        await using TestServer server = await TestServer.StartAsync();
        await AssertRefusedAsync(server, "/v1/chat/completions", $"{{\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}],\"{field}\":{value}}}", param ?? field, "invalid_value");
    }

    [Theory]
    [InlineData("response_format", "{\"type\":\"json_object\"}")]
    [InlineData("response_format", "{\"type\":\"json_schema\",\"json_schema\":{}}")]
    [InlineData("tool_choice", "\"required\"")]
    [InlineData("tool_choice", "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}")]
    [InlineData("functions", "[{}]")]
    [InlineData("function_call", "{\"name\":\"f\"}")]
    [InlineData("audio", "{}")]
    [InlineData("modalities", "[\"text\",\"audio\"]")]
    [InlineData("web_search_options", "{}")]
    [InlineData("guided_json", "{}")]
    [InlineData("structured_outputs", "{}")]
    [InlineData("use_beam_search", "true")]
    [InlineData("chat_template", "\"x\"")]
    [InlineData("echo", "true")]
    [InlineData("prompt_logprobs", "1,\"stream\":true")]
    [InlineData("bad_words", "[\"ab\"]", "bad_words[0]")]
    [InlineData("tools", "[{\"type\":\"custom\"}]", "tools[0].type")]
    public async Task What_we_cannot_do_is_refused_by_name(string field, string value, string? param = null)
    {
        await using TestServer server = await TestServer.StartAsync();
        await AssertRefusedAsync(server, "/v1/chat/completions", $"{{\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}],\"{field}\":{value}}}", param ?? field, "unsupported_parameter");
    }

    [Fact]
    public async Task Harmless_values_of_unsupported_fields_pass()
    {
        await using TestServer server = await TestServer.StartAsync();
        await server.JsonAsync("/v1/chat/completions", """
            {"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"text"},"tool_choice":"auto","modalities":["text"],"functions":[],"echo":false,
            "guided_json":null,"use_beam_search":false,"best_of":1,"suffix":"","service_tier":"auto","parallel_tool_calls":true,"reasoning_effort":"low"}
            """);
    }

    [Theory]
    [InlineData("null", "messages", "invalid_value")]
    [InlineData("[]", "messages", "invalid_value")]
    [InlineData("\"hi\"", "messages", "invalid_value")]
    [InlineData("[1]", "messages[0]", "invalid_value")]
    [InlineData("[{}]", "messages[0].role", "invalid_value")]
    [InlineData("[{\"role\":\"god\",\"content\":\"x\"}]", "messages[0].role", "invalid_value")]
    [InlineData("[{\"role\":\"user\"}]", "messages[0].content", "invalid_value")]
    [InlineData("[{\"role\":\"user\",\"content\":null}]", "messages[0].content", "invalid_value")]
    [InlineData("[{\"role\":\"user\",\"content\":5}]", "messages[0].content", "invalid_value")]
    [InlineData("[{\"role\":\"assistant\",\"content\":null}]", "messages[0].content", "invalid_value")]
    [InlineData("[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]", "messages[0].content[0].text", "invalid_value")]
    [InlineData("[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{}}]}]", "messages[1].content[1].type", "unsupported_parameter")]
    [InlineData("[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{}}]}]", "messages[0].tool_calls[0].function.name", "invalid_value")]
    [InlineData("[{\"role\":\"assistant\",\"tool_calls\":[{}]}]", "messages[0].tool_calls[0].function", "invalid_value")]
    public async Task Wrong_messages_are_named_by_their_place(string messages, string param, string code)
    {
        await using TestServer server = await TestServer.StartAsync();
        await AssertRefusedAsync(server, "/v1/chat/completions", $"{{\"messages\":{messages}}}", param, code);
    }

    [Theory]
    [InlineData("{}", "prompt", "invalid_value")]
    [InlineData("{\"prompt\":[]}", "prompt", "invalid_value")]
    [InlineData("{\"prompt\":[[]]}", "prompt", "invalid_value")]
    [InlineData("{\"prompt\":[1,\"a\"]}", "prompt[1]", "invalid_value")]
    [InlineData("{\"prompt\":[\"a\",1]}", "prompt[1]", "invalid_value")]
    [InlineData("{\"prompt\":[[1],2]}", "prompt[1]", "invalid_value")]
    [InlineData("{\"prompt\":[{}]}", "prompt[0]", "invalid_value")]
    [InlineData("{\"prompt\":[-1]}", "prompt[0]", "invalid_value")]
    [InlineData("{\"prompt\":[262]}", "prompt", "invalid_value")]
    [InlineData("{\"prompt\":\"a\",\"suffix\":\"b\"}", "suffix", "unsupported_parameter")]
    [InlineData("{\"prompt\":\"a\",\"best_of\":3}", "best_of", "unsupported_parameter")]
    [InlineData("{\"prompt\":\"a\",\"max_tokens\":0}", "max_tokens", "invalid_value")]
    [InlineData("{\"prompt\":\"a\",\"max_tokens\":5000}", "prompt", "context_length_exceeded")]
    [InlineData("{\"prompt\":\"a\",\"logprobs\":true}", "logprobs", "invalid_value")]
    [InlineData("{\"prompt\":[\"a\",\"b\",\"c\"],\"n\":100}", "n", "invalid_value")]
    public async Task Wrong_completion_requests_are_named(string body, string param, string code)
    {
        await using TestServer server = await TestServer.StartAsync();
        await AssertRefusedAsync(server, "/v1/completions", body, param, code);
    }

    [Fact]
    public async Task Too_many_messages_and_fields_are_refused()
    {
        await using TestServer server = await TestServer.StartAsync(new ServerOptions { Http = new HttpOptions { MaxMessages = 2 } });
        string message = """{"role":"user","content":"hi"}""";
        await AssertRefusedAsync(server, "/v1/chat/completions", $"{{\"messages\":[{message},{message},{message}]}}", "messages", "invalid_value");
        string many = string.Join(',', Enumerable.Range(0, 2000).Select(i => $"\"f{i}\":1"));
        await AssertRefusedAsync(server, "/v1/chat/completions", $"{{{many}}}", "", "invalid_value");
    }

    private static async Task AssertRefusedAsync(TestServer server, string path, string body, string param, string code)
    {
        JsonElement answer = await server.JsonAsync(path, body, 400);
        SchemaChecker.OpenAI().AssertValid("ErrorResponse", answer);
        JsonElement error = answer.GetProperty("error");
        Assert.Equal((param, code, "invalid_request_error"), (error.GetProperty("param").GetString(), error.GetProperty("code").GetString(), error.GetProperty("type").GetString()));
        Assert.EndsWith(".", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(server.Engine.Generations, g => !g.Cancelled.IsCompleted);
    }
}
