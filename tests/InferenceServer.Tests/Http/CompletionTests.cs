using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Http;

public class CompletionTests
{
    private const string Path = "/v1/completions";

    [Theory]
    [InlineData("\"ab\"", new[] { 256, 97, 98 })]
    [InlineData("[\"ab\"]", new[] { 256, 97, 98 })]
    [InlineData("[97,98]", new[] { 97, 98 })]
    [InlineData("[[97,98]]", new[] { 97, 98 })]
    [InlineData("\"<eos>\"", new[] { 256, 60, 101, 111, 115, 62 })]
    [InlineData("\"<eos>\",\"parse_special\":true,\"add_special_tokens\":false", new[] { 257 })]
    public async Task A_prompt_may_be_text_or_ids(string prompt, int[] expected)
    {
        await using TestServer server = await TestServer.StartAsync();
        JsonElement answer = await server.JsonAsync(Path, $"{{\"prompt\":{prompt}}}");
        SchemaChecker.OpenAI().AssertValid("CreateCompletionResponse", answer);
        Assert.Equal("Hello", answer.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.StartsWith("cmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal(expected, server.Engine.LastRequest.PromptTokens);
        Assert.Equal(16, server.Engine.LastRequest.MaxTokens);
    }

    [Fact]
    public async Task Several_prompts_are_choices_prompt_by_prompt()
    {
        await using TestServer server = await TestServer.StartAsync();
        JsonElement answer = await server.JsonAsync(Path, """{"prompt":["ab","c"],"n":2,"echo":true}""");
        Assert.Equal(["ab1Hello", "ab2Hello", "c1Hello", "c2Hello"], Choices(answer).Select(c => c.GetProperty("text").GetString()));
        Assert.Equal([0, 1, 2, 3], Choices(answer).Select(c => c.GetProperty("index").GetInt32()));
        Assert.Equal(3 + 2, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(4 * 7, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Several_prompts_stream_together()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Script = async g =>
        {
            await Task.Delay(g.Request.PromptTokens.Length * 20); // the longer prompt answers later
            g.Answer("Hello");
        };
        string[] events = await server.StreamAsync(Path, """{"prompt":["abcdef","c"],"stream":true,"echo":true,"stream_options":{"include_usage":true}}""");
        List<JsonElement> chunks = [.. events[..^1].Select(e => JsonDocument.Parse(e).RootElement)];
        SchemaChecker schema = SchemaChecker.OpenAI();
        string[] texts = ["", ""];
        foreach (JsonElement choice in chunks.SelectMany(Choices)) texts[choice.GetProperty("index").GetInt32()] += choice.GetProperty("text").GetString();
        Assert.Equal(["abcdefHello", "cHello"], texts);
        Assert.Equal(12, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        schema.AssertValid("CreateCompletionResponse", chunks[^1]);
        Assert.Equal("[DONE]", events[^1]);
    }

    [Fact]
    public async Task When_one_prompt_is_refused_none_runs()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Script = _ => Task.CompletedTask;
        JsonElement error = await server.JsonAsync(Path, """{"prompt":[[97],[100000]]}""", 400);
        Assert.Equal("invalid_value", error.GetProperty("error").GetProperty("code").GetString());
        await server.Engine.Generations.Single().Cancelled.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Logprobs_are_four_arrays_side_by_side()
    {
        await using TestServer server = await TestServer.StartAsync();
        JsonElement answer = await server.JsonAsync(Path, """{"prompt":"ab","logprobs":2}""");
        SchemaChecker.OpenAI().AssertValid("CreateCompletionResponse", answer);
        JsonElement logprobs = answer.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.Equal(["H", "e", "l", "l", "o"], logprobs.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()));
        Assert.Equal([0, 1, 2, 3, 4], logprobs.GetProperty("text_offset").EnumerateArray().Select(t => t.GetInt32()));
        Assert.All(logprobs.GetProperty("token_logprobs").EnumerateArray(), l => Assert.Equal(-0.5, l.GetDouble()));
        Assert.Equal(["H", "I"], logprobs.GetProperty("top_logprobs")[0].EnumerateObject().Select(p => p.Name));
    }

    [Fact]
    public async Task Echo_with_logprobs_scores_the_prompt_too()
    {
        await using TestServer server = await TestServer.StartAsync();
        JsonElement choice = (await server.JsonAsync(Path, """{"prompt":"ab","echo":true,"logprobs":1,"max_tokens":0}""")).GetProperty("choices")[0];
        Assert.Equal("ab", choice.GetProperty("text").GetString());
        Assert.Equal("length", choice.GetProperty("finish_reason").GetString());
        JsonElement logprobs = choice.GetProperty("logprobs");
        Assert.Equal(["<bos>", "a", "b"], logprobs.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()));
        Assert.Equal([0, 0, 1], logprobs.GetProperty("text_offset").EnumerateArray().Select(t => t.GetInt32()));
        Assert.Equal(JsonValueKind.Null, logprobs.GetProperty("token_logprobs")[0].ValueKind);
        Assert.Equal(-0.25, logprobs.GetProperty("token_logprobs")[2].GetDouble());
        Assert.Equal(0, server.Engine.LastRequest.MaxTokens);
    }

    [Fact]
    public async Task Echo_with_logprobs_streams_the_prompt_first()
    {
        await using TestServer server = await TestServer.StartAsync();
        string[] events = await server.StreamAsync(Path, """{"prompt":[97,98],"echo":true,"logprobs":0,"stream":true}""");
        JsonElement first = JsonDocument.Parse(events[0]).RootElement.GetProperty("choices")[0];
        Assert.Equal("ab", first.GetProperty("text").GetString());
        JsonElement second = JsonDocument.Parse(events[1]).RootElement.GetProperty("choices")[0];
        Assert.Equal([2], second.GetProperty("logprobs").GetProperty("text_offset").EnumerateArray().Select(o => o.GetInt32()));
    }

    [Theory]
    [InlineData(",\"echo\":true", "x€")]
    [InlineData("", "€")]
    [InlineData(",\"echo\":true,\"max_tokens\":0", "x\uFFFD")]
    public async Task A_character_that_a_prompt_of_ids_begins_is_finished_by_the_completion(string fields, string expected)
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Script = g =>
        {
            if (g.Request.MaxTokens > 0) g.Token(0, 0xAC);
            g.FinishChoice(0, FinishReason.Length);
            g.Finish();
            return Task.CompletedTask;
        };
        JsonElement answer = await server.JsonAsync(Path, $"{{\"prompt\":[120,226,130]{fields}}}");
        Assert.Equal(expected, answer.GetProperty("choices")[0].GetProperty("text").GetString());
    }

    private static IEnumerable<JsonElement> Choices(JsonElement answer) => answer.GetProperty("choices").EnumerateArray();
}
