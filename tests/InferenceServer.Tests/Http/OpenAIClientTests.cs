using System.ClientModel;
using System.Text;
using InferenceServer.Core.Requests;
using InferenceServer.Options;
using InferenceServer.Tests.Fakes;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;

namespace InferenceServer.Tests.Http;

/// <summary>The official .NET client as judge.</summary>
public class OpenAIClientTests
{
    [Fact]
    public async Task Chat_answers()
    {
        await using TestServer server = await TestServer.StartAsync();
        ChatClient chat = Client(server).GetChatClient("test-model");
        ChatCompletion completion = await chat.CompleteChatAsync([new SystemChatMessage("Be brief."), new UserChatMessage("hi")],
            new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 100, IncludeLogProbabilities = true, TopLogProbabilityCount = 2 },
            TestContext.Current.CancellationToken);
        Assert.Equal("Hello", completion.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, completion.FinishReason);
        Assert.Equal(3, completion.Usage.InputTokenDetails.CachedTokenCount);
        Assert.Equal(5, completion.ContentTokenLogProbabilities.Count);
    }

    [Fact]
    public async Task Chat_streams()
    {
        await using TestServer server = await TestServer.StartAsync();
        ChatClient chat = Client(server).GetChatClient("test-model");
        StringBuilder text = new();
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync([new UserChatMessage("hi")], cancellationToken: TestContext.Current.CancellationToken))
        {
            foreach (ChatMessageContentPart part in update.ContentUpdate) text.Append(part.Text);
            finish ??= update.FinishReason;
            usage ??= update.Usage;
        }

        Assert.Equal("Hello", text.ToString());
        Assert.Equal(ChatFinishReason.Stop, finish);
        Assert.Equal(6, usage!.OutputTokenCount);
    }

    [Fact]
    public async Task Errors_are_understood()
    {
        await using TestServer server = await TestServer.StartAsync(new ServerOptions { Auth = new AuthOptions { ApiKeys = ["right"] } });
        ClientResultException wrong = await Assert.ThrowsAsync<ClientResultException>(() => Client(server, "wrong").GetChatClient("test-model").CompleteChatAsync("hi"));
        Assert.Equal(401, wrong.Status);
        Assert.Contains("invalid_api_key", wrong.Message, StringComparison.Ordinal);
        ClientResultException missing = await Assert.ThrowsAsync<ClientResultException>(() => Client(server, "right").GetChatClient("gpt-4").CompleteChatAsync("hi"));
        Assert.Equal(404, missing.Status);
    }

    [Fact]
    public async Task A_busy_server_is_asked_again()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Engine.Rejection = new RequestRejected(RejectionKind.Unavailable, "overloaded", null, "Later.") { RetryAfter = TimeSpan.FromMilliseconds(200) };
        Task<ClientResult<ChatCompletion>> pending = Client(server).GetChatClient("test-model").CompleteChatAsync("hi");
        await Task.Delay(100, TestContext.Current.CancellationToken);
        server.Engine.Rejection = null;
        Assert.Equal("Hello", (await pending).Value.Content[0].Text);
    }

    [Fact]
    public async Task Models_are_listed()
    {
        await using TestServer server = await TestServer.StartAsync();
        OpenAIModelClient models = Client(server).GetOpenAIModelClient();
        Assert.Equal("test-model", (await models.GetModelsAsync(TestContext.Current.CancellationToken)).Value.Single().Id);
        Assert.Equal("inference-server", (await models.GetModelAsync("test-model", TestContext.Current.CancellationToken)).Value.OwnedBy);
    }

    private static OpenAIClient Client(TestServer server, string key = "any") =>
        new(new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(server.Url, "/v1") });
}
