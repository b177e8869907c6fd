using System.Text.Json;
using InferenceServer.Hosting;
using InferenceServer.Options;
using InferenceServer.Tests.Fakes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace InferenceServer.Tests.Http;

/// <summary>openapi.json says what is mapped, and answers are as it says.</summary>
public class OpenApiTests
{
    [Fact]
    public async Task Every_route_is_described_and_every_description_is_mapped()
    {
        await using TestServer server = await TestServer.StartAsync();
        JsonElement document = await server.GetAsync("/openapi.json");
        HashSet<string> described = [.. document.GetProperty("paths").EnumerateObject().SelectMany(p => p.Value.EnumerateObject().Select(m => $"{m.Name.ToUpperInvariant()} {p.Name}"))];

        await using WebApplication app = ServerHost.Build(new ServerOptions(), new ModelRegistry("test-model"));
        HashSet<string> mapped = [];
        foreach (RouteEndpoint route in ((IEndpointRouteBuilder)app).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>())
        {
            if (route.DisplayName!.Contains("gRPC", StringComparison.OrdinalIgnoreCase)) continue; // described by the .proto files
            foreach (string method in route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [])
            {
                if (method != "HEAD") mapped.Add($"{method} {route.RoutePattern.RawText!.Replace("**", "", StringComparison.Ordinal)}");
            }
        }

        Assert.Equal(described.Order(), mapped.Order());
    }

    [Theory]
    [InlineData("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"n\":2,\"logprobs\":true,\"top_logprobs\":1,\"stop\":\"l\"}", "ChatCompletion")]
    [InlineData("/v1/completions", "{\"prompt\":\"hi\",\"logprobs\":1,\"echo\":true}", "Completion")]
    [InlineData("/tokenize", "{\"prompt\":\"hi\",\"return_token_strs\":true}", "TokenizeResponse")]
    [InlineData("/detokenize", "{\"tokens\":[65]}", "DetokenizeResponse")]
    public async Task Answers_match_our_own_description(string path, string body, string schema)
    {
        await using TestServer server = await TestServer.StartAsync();
        SchemaChecker checker = new(await server.GetAsync("/openapi.json"));
        checker.AssertValid(schema, await server.JsonAsync(path, body));
        checker.AssertValid("Error", await server.JsonAsync(path, "[]", 400));
    }

    [Fact]
    public async Task Chunks_match_our_own_description()
    {
        await using TestServer server = await TestServer.StartAsync();
        SchemaChecker checker = new(await server.GetAsync("/openapi.json"));
        string[] events = await server.StreamAsync("/v1/chat/completions", """{"stream":true,"stream_options":{"include_usage":true},"logprobs":true,"messages":[{"role":"user","content":"hi"}]}""");
        foreach (string chunk in events[..^1]) checker.AssertValid("ChatCompletionChunk", JsonDocument.Parse(chunk).RootElement);
    }
}
