using Google.Protobuf.WellKnownTypes;
using InferenceServer.Core.Requests;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire;
using InferenceServer.Options;

namespace InferenceServer.Tests.Grpc;

/// <summary>What is refused, with which status, and that the sentence names the field.</summary>
public class RefusalTests
{
    private static readonly Dictionary<string, GenerateRequest> Wrong = new()
    {
        ["prompt"] = new() { Model = "test-model" },
        ["temperature"] = new() { Text = "x", Temperature = 2.5f },
        ["sampling.top_p"] = new() { Text = "x", Sampling = new() { TopP = 1.5f } },
        ["sampling.min_p"] = new() { Text = "x", Sampling = new() { MinP = float.NaN } },
        ["sampling.top_k"] = new() { Text = "x", Sampling = new() { TopK = uint.MaxValue } },
        ["sampling.num_sequences"] = new() { Text = "x", Sampling = new() { NumSequences = 2 } },
        ["decoding.presence_penalty"] = new() { Text = "x", Decoding = new() { PresencePenalty = 3 } },
        ["decoding.frequency_penalty"] = new() { Text = "x", Decoding = new() { FrequencyPenalty = float.NegativeInfinity } },
        ["decoding.repetition_penalty"] = new() { Text = "x", Decoding = new() { RepetitionPenalty = -1 } },
        ["decoding.logit_bias"] = new() { Text = "x", Decoding = new() { LogitBias = { { 1, 1000 } } } },
        ["decoding.allowed_token_ids"] = new() { Text = "x", Decoding = new() { AllowedTokenIds = { uint.MaxValue } } },
        ["decoding.json"] = new() { Text = "x", Decoding = new() { Json = "{}" } },
        ["decoding.regex"] = new() { Text = "x", Decoding = new() { Regex = "a" } },
        ["decoding.choice"] = new() { Text = "x", Decoding = new() { Choice = new() { Choices = { "a" } } } },
        ["decoding.grammar"] = new() { Text = "x", Decoding = new() { Grammar = "a" } },
        ["decoding.json_object"] = new() { Text = "x", Decoding = new() { JsonObject = true } },
        ["decoding.structural_tag"] = new() { Text = "x", Decoding = new() { StructuralTag = "a" } },
        ["stopping.max_new_tokens"] = new() { Text = "x", Stopping = new() { MaxNewTokens = uint.MaxValue } },
        ["stopping.min_new_tokens"] = new() { Text = "x", Stopping = new() { MaxNewTokens = 3, MinNewTokens = 4 } },
        ["stopping.stop_strings"] = new() { Text = "x", Stopping = new() { StopStrings = { "" } } },
        ["stopping.stop_token_ids"] = new() { Text = "x", Stopping = new() { StopTokenIds = { uint.MaxValue } } },
        ["stop_token_ids"] = new() { Text = "x", Stopping = new() { StopTokenIds = { 5000 } } },
        ["response.output_candidates.top_n"] = new() { Text = "x", Response = new() { OutputCandidates = new() { TopN = 21 } } },
        ["response.output_candidates.all"] = new() { Text = "x", Response = new() { OutputCandidates = new() { All = true } } },
        ["response.prompt_candidates.token_ids"] = new() { Text = "x", Response = new() { PromptCandidates = new() { TokenIds = new() } } },
        ["truncate_prompt_tokens"] = new() { Text = "x", TruncatePromptTokens = 1 },
        ["media"] = new() { Text = "x", Media = { new MediaItem { Url = "http://x" } } },
        ["lora_name"] = new() { Text = "x", LoraName = "a" },
        ["kv.kv_transfer_params"] = new() { Text = "x", Kv = new() { KvTransferParams = new Struct() } },
        ["kv.ec_transfer_params"] = new() { Text = "x", Kv = new() { EcTransferParams = new Struct() } },
        ["token_ids"] = new() { TokenIds = new() { Ids = { uint.MaxValue } } },
        ["request_id"] = new() { Text = "x", RequestId = "no spaces" },
    };

    public static TheoryData<string> Fields => [.. Wrong.Keys];

    public static TheoryData<string, string> Kinds => new()
    {
        { nameof(RejectionKind.Invalid), nameof(GrpcStatus.InvalidArgument) },
        { nameof(RejectionKind.Unauthenticated), nameof(GrpcStatus.Unauthenticated) },
        { nameof(RejectionKind.NotFound), nameof(GrpcStatus.NotFound) },
        { nameof(RejectionKind.TooLarge), nameof(GrpcStatus.ResourceExhausted) },
        { nameof(RejectionKind.RateLimited), nameof(GrpcStatus.ResourceExhausted) },
        { nameof(RejectionKind.Unavailable), nameof(GrpcStatus.Unavailable) },
        { nameof(RejectionKind.DeadlineExceeded), nameof(GrpcStatus.DeadlineExceeded) },
        { nameof(RejectionKind.Internal), nameof(GrpcStatus.Internal) },
    };

    [Theory]
    [MemberData(nameof(Fields))]
    public async Task A_wrong_field_is_named(string field)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        RpcFailure failure = await server.FailAsync(Wrong[field]);
        Assert.Equal(GrpcStatus.InvalidArgument, failure.Status);
        Assert.Contains(field, failure.Sentence, StringComparison.Ordinal);
        Assert.Equal(field, failure.Trailer("error-field"));
        Assert.True(failure.TrailersOnly);
        Assert.Empty(server.Engine.Generations);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Every_rejection_has_its_status(string kind, string status)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Rejection = new RequestRejected(System.Enum.Parse<RejectionKind>(kind), "some_code", null, "Größe: 100 %") { RetryAfter = TimeSpan.FromMilliseconds(1500) };
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = "x" });
        Assert.Equal(status, failure.Status.ToString());
        Assert.Equal("Größe: 100 %", failure.Sentence);
        Assert.Equal("some_code", failure.Trailer("error-code"));
        bool retry = kind is nameof(RejectionKind.Unavailable) or nameof(RejectionKind.RateLimited);
        Assert.Equal(retry ? "2" : null, failure.Trailer("retry-after"));
        Assert.Equal(retry ? "1500" : null, failure.Trailer("retry-after-ms"));
    }

    [Fact]
    public async Task An_unknown_model_is_not_found()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = "x", Model = "größer" });
        Assert.Equal(GrpcStatus.NotFound, failure.Status);
        Assert.Contains("'größer'", failure.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_loading_model_is_unavailable()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(ready: false);
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = "x" });
        Assert.Equal(GrpcStatus.Unavailable, failure.Status);
        Assert.Equal("1", failure.Trailer("retry-after"));
    }

    [Fact]
    public async Task A_prompt_beyond_the_context_is_refused()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = new string('x', 200_001) });
        Assert.Equal(GrpcStatus.InvalidArgument, failure.Status);
        Assert.Equal("context_length_exceeded", failure.Trailer("error-code"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer wrong-wrong")]
    public async Task A_key_is_asked_for(string? authorization)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new ServerOptions { Auth = new() { ApiKeys = ["right-right"] } });
        (string, string)[] metadata = authorization is null ? [] : [("authorization", authorization)];
        RpcFailure failure = await server.FailAsync(new GenerateRequest { Text = "x" }, metadata);
        Assert.Equal(GrpcStatus.Unauthenticated, failure.Status);
        foreach (string method in new[] { "GetServerInfo", "GetModelInfo", "Abort" })
        {
            failure = await Assert.ThrowsAsync<RpcFailure>(() =>
                server.Client.CallAsync("vllm.Control/" + method, new AbortRequest(), AbortResponse.Parser, TestContext.Current.CancellationToken, metadata));
            Assert.Equal(GrpcStatus.Unauthenticated, failure.Status);
        }

        Assert.Equal("Hello", (await server.AskAsync(new GenerateRequest { Text = "x" }, ("authorization", "Bearer right-right"))).Outputs.Text);
    }
}
