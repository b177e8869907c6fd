using System.Net;
using System.Text;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Hosting;
using InferenceServer.Http;
using InferenceServer.Options;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace InferenceServer.Tests.Fakes;

/// <summary>The HTTP door on a real Kestrel and any free port, before a scripted engine.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestServer(WebApplication app, ModelRegistry models)
    {
        _app = app;
        Models = models;
        Client = new HttpClient { BaseAddress = Url, Timeout = TimeSpan.FromSeconds(30) };
    }

    public ScriptedEngine Engine { get; } = new();

    public PlainTemplate Template { get; } = new();

    public ModelRegistry Models { get; }

    public HttpClient Client { get; }

    public Uri Url => new(_app.Urls.Single());

    public static async Task<TestServer> StartAsync(ServerOptions? options = null, StreamTiming? timing = null, bool ready = true)
    {
        options ??= new ServerOptions();
        ModelRegistry models = new("test-model");
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = options.Http.MaxBodyBytes;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        builder.Services.AddSingleton(options).AddSingleton(models).AddSingleton(TimeProvider.System)
            .AddSingleton(new ApiKeys(options.Auth.ApiKeys)).AddSingleton(new GenerationPipeline(models)).AddSingleton(timing ?? new StreamTiming());
        WebApplication app = builder.Build();
        HttpApi.Map(app);
        await app.StartAsync();
        TestServer server = new(app, models);
        if (ready) server.Publish();
        return server;
    }

    public void Publish() => Models.Publish(new ServedModel
    {
        Id = "test-model",
        Created = 1_700_000_000,
        Engine = Engine,
        Tokenizer = new ByteTokenizer(),
        Template = Template,
        TemplateTokens = new Dictionary<string, string> { ["bos_token"] = "<bos>" },
        ContextLength = 4096,
        TokensPerStep = 512,
        VocabularySize = 262,
        EndTokens = [ByteTokenizer.Eos],
        Defaults = new SamplingParameters(),
    });

    public Task<HttpResponseMessage> PostAsync(string path, string json, string? contentType = "application/json") =>
        PostAsync(path, Encoding.UTF8.GetBytes(json), contentType);

    public async Task<HttpResponseMessage> PostAsync(string path, byte[] body, string? contentType = "application/json")
    {
        using ByteArrayContent content = new(body);
        if (contentType is not null) content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return await Client.PostAsync(new Uri(path, UriKind.Relative), content, TestContext.Current.CancellationToken);
    }

    /// <summary>Posts and expects this status; the answer as JSON.</summary>
    public async Task<JsonElement> JsonAsync(string path, string json, int status = 200)
    {
        using HttpResponseMessage response = await PostAsync(path, json);
        return await ReadAsync(response, status);
    }

    public async Task<JsonElement> GetAsync(string path, int status = 200)
    {
        using HttpResponseMessage response = await Client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        return await ReadAsync(response, status);
    }

    /// <summary>Posts a streaming request; the data of every event in order, comments as they are.</summary>
    public async Task<string[]> StreamAsync(string path, string json)
    {
        using HttpResponseMessage response = await PostAsync(path, json);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        Assert.Equal("text/event-stream; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.EndsWith("\n\n", text, StringComparison.Ordinal);
        return [.. text[..^2].Split("\n\n").Select(Event)];
    }

    public static async Task<JsonElement> ReadAsync(HttpResponseMessage response, int status)
    {
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode} instead of {status}: {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }

    private static string Event(string block)
    {
        Assert.DoesNotContain('\n', block);
        if (block.StartsWith(':')) return block;
        Assert.StartsWith("data: ", block, StringComparison.Ordinal);
        return block["data: ".Length..];
    }
}
