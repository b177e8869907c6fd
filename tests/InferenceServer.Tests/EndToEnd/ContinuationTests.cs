using System.Net.Http.Json;
using System.Text.Json;
using InferenceServer.Grpc.Wire;
using InferenceServer.Tests.Grpc;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>Prompt and completion are one text, whichever door is asked: a SentencePiece model's completion keeps the space it begins with.</summary>
public sealed class ContinuationTests : IAsyncLifetime
{
    private const string Prompt = "Lily and Ben", Rest = " were playing in the park. They liked to";

    private readonly string _template = Path.GetTempFileName();
    private RunningServer? _server;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(_template, "{{ bos_token }}{{ messages[0]['content'] }}", Cancellation);
        _server = await RunningServer.StartAsync(o => o with
        {
            Model = o.Model with { Path = TestModels.Stories, ChatTemplate = _template },
            Kv = o.Kv with { Memory = 16 << 20 },
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        File.Delete(_template);
    }

    [Theory]
    [InlineData("text", false, Rest)]
    [InlineData("text", true, Prompt + Rest)]
    [InlineData("ids", false, Rest)]
    [InlineData("ids", true, Prompt + Rest)]
    [InlineData("nothing", false, "Once upon a time, there")] // the text begins here
    public async Task A_completion_goes_on_where_the_prompt_ends(string kind, bool echo, string expected)
    {
        object prompt = kind switch { "ids" => new[] { 1, 317, 269, 368, 302 }, "text" => Prompt, _ => "" };
        JsonElement whole = await PostAsync("/v1/completions", new { prompt, echo, temperature = 0, max_tokens = 24 });
        string text = whole.GetProperty("choices")[0].GetProperty("text").GetString()!;
        Assert.StartsWith(expected, text, StringComparison.Ordinal);

        using HttpResponseMessage response = await _server!.Http.PostAsJsonAsync("/v1/completions", new { prompt, echo, temperature = 0, max_tokens = 24, stream = true }, Cancellation);
        string[] events = (await response.Content.ReadAsStringAsync(Cancellation)).Split("data: ")[1..^1];
        Assert.Equal(text, string.Concat(events.Select(e => JsonDocument.Parse(e).RootElement.GetProperty("choices")[0].GetProperty("text").GetString())));
    }

    [Fact]
    public async Task So_does_an_answer_behind_a_template() // as vLLM's: HF's decode of prompt and answer, less the prompt
    {
        JsonElement answer = await PostAsync("/v1/chat/completions", new { messages = new[] { new { role = "user", content = Prompt } }, temperature = 0, max_tokens = 24 });
        Assert.StartsWith(Rest, answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task And_one_by_gRPC()
    {
        using GrpcClient client = new(new Uri(_server!.GrpcUrl));
        GenerateRequest request = new() { Text = Prompt, Temperature = 0, Stopping = new() { MaxNewTokens = 24 } };
        GenerateResponse whole = await client.CallAsync(GrpcTestServer.Generate, request, GenerateResponse.Parser, Cancellation);
        Assert.StartsWith(Rest, whole.Outputs.Text, StringComparison.Ordinal);
        List<string> parts = [];
        await foreach (GenerateResponse part in client.StreamAsync(GrpcTestServer.GenerateStream, request, GenerateResponse.Parser, Cancellation)) parts.Add(part.Outputs.Text);
        Assert.Equal(whole.Outputs.Text, string.Concat(parts));
    }

    private async Task<JsonElement> PostAsync(string path, object body)
    {
        using HttpResponseMessage response = await _server!.Http.PostAsJsonAsync(path, body, Cancellation);
        return await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
    }
}
