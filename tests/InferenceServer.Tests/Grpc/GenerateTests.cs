using InferenceServer.Core.Requests;
using InferenceServer.Grpc.Wire;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Grpc;

/// <summary>What goes in reaches the engine, and what the engine says comes out, whole and streamed.</summary>
public class GenerateTests
{
    [Fact]
    public async Task A_whole_answer()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Reply = "grün €";
        GenerateResponse response = await server.AskAsync(new GenerateRequest { Text = "hi", Response = new() { PromptTokenIds = true, OutputTokenIds = true } });
        Assert.Equal("grün €", response.Outputs.Text);
        Assert.Equal([256u, 'h', 'i'], response.PromptInfo.TokenIds);
        Assert.Equal(3u, response.PromptInfo.NumPromptTokens);
        uint[] tokens = [.. ByteTokenizer.Ids("grün €").Select(id => (uint)id), ByteTokenizer.Eos];
        Assert.Equal(tokens, response.Outputs.TokenIds);
        Assert.Equal((uint)tokens.Length, response.Outputs.NumTokens);
        Assert.Equal((uint)tokens.Length, response.Outputs.FinishInfo.NumOutputTokens);
        Assert.Equal(FinishInfo.Types.FinishReason.Stop, response.Outputs.FinishInfo.FinishReason);
        Assert.Equal((uint)ByteTokenizer.Eos, response.Outputs.FinishInfo.EosTokenId);
        Assert.Empty(response.Outputs.Logprobs);
    }

    [Fact]
    public async Task A_stream_adds_up_to_the_whole_answer()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        server.Engine.Reply = "grün €";
        GenerateRequest request = new() { Text = "hi", Response = new() { OutputTokenIds = true, OutputLogprobs = true } };
        GenerateResponse whole = await server.AskAsync(request);
        List<GenerateResponse> stream = await server.StreamAsync(request);
        Assert.Equal(whole.Outputs.Text, string.Concat(stream.Select(r => r.Outputs.Text)));
        Assert.Equal(whole.Outputs.TokenIds, stream.SelectMany(r => r.Outputs.TokenIds));
        Assert.Equal(whole.Outputs.Logprobs, stream.SelectMany(r => r.Outputs.Logprobs));
        Assert.Equal(whole.Outputs.NumTokens, stream.Aggregate(0u, (sum, r) => sum + r.Outputs.NumTokens));
        Assert.Equal(whole.Outputs.FinishInfo, stream[^1].Outputs.FinishInfo);
        Assert.Equal(whole.PromptInfo, stream[0].PromptInfo);
        Assert.All(stream[1..], r => Assert.Null(r.PromptInfo));
        Assert.All(stream[..^1], r => Assert.Null(r.Outputs.FinishInfo));
    }

    [Fact]
    public async Task Every_parameter_reaches_the_engine()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        await server.StreamAsync(Everything());
        EngineRequest request = server.Engine.LastRequest;
        Assert.Equal("my-id", request.RequestId);
        Assert.Equal([1, 2, 3], request.PromptTokens);
        Assert.Equal((30, 2, -7), (request.MaxTokens, request.Choices, request.Priority));
        Assert.Equal([77], request.StopTokens); // ignore_eos leaves out the model's own
        SamplingParameters sampling = request.Sampling;
        Assert.Equal((0.5f, 40, 0.9f, 0.1f), (sampling.Temperature, sampling.TopK, sampling.TopP, sampling.MinP));
        Assert.Equal((0.25f, -0.25f, 1.5f), (sampling.PresencePenalty, sampling.FrequencyPenalty, sampling.RepetitionPenalty));
        Assert.Equal(ulong.MaxValue, sampling.Seed);
        Assert.Equal(-2f, sampling.LogitBias![9]);
        Assert.Equal([9, 10], sampling.AllowedTokens);
        Assert.Equal((4, true, 3, 2), (sampling.MinTokens, sampling.Logprobs, sampling.TopLogprobs, sampling.PromptLogprobs));
    }

    [Fact]
    public async Task What_is_left_out_takes_the_models_defaults()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        await server.AskAsync(new GenerateRequest { Text = "hi" });
        EngineRequest request = server.Engine.LastRequest;
        Assert.Equal(new SamplingParameters(), request.Sampling);
        Assert.Equal((20, 1, 0), (request.MaxTokens, request.Choices, request.Priority));
        Assert.Null(request.DeadlineTimestamp);
        Assert.Equal([ByteTokenizer.Eos], request.StopTokens);
    }

    [Fact]
    public async Task Several_sequences_come_apart_by_their_index()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        List<GenerateResponse> stream = await server.StreamAsync(new GenerateRequest { Text = "hi", Sampling = new() { NumSequences = 3 } });
        for (uint i = 0; i < 3; i++)
        {
            List<SequenceOutput> mine = [.. stream.Select(r => r.Outputs).Where(o => o.Index == i)];
            Assert.Equal($"{i + 1}Hello", string.Concat(mine.Select(o => o.Text)));
            Assert.Equal(7u, mine[^1].FinishInfo.NumOutputTokens);
        }
    }

    [Theory]
    [InlineData(false, "He")]
    [InlineData(true, "Hell")]
    public async Task Stop_strings_end_the_text(bool include, string expected)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        GenerateResponse response = await server.AskAsync(new GenerateRequest { Text = "hi", Stopping = new() { StopStrings = { "ll" }, IncludeStopStrings = include } });
        Assert.Equal(expected, response.Outputs.Text);
        Assert.Equal("ll", response.Outputs.FinishInfo.StopString);
        Assert.Equal(4u, response.Outputs.FinishInfo.NumOutputTokens);
    }

    [Fact]
    public async Task A_used_up_length_is_said()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        GenerateResponse response = await server.AskAsync(new GenerateRequest { Text = "hi", Stopping = new() { MaxNewTokens = 2 } });
        Assert.Equal("He", response.Outputs.Text);
        Assert.Equal(FinishInfo.Types.FinishReason.Length, response.Outputs.FinishInfo.FinishReason);
        Assert.Equal(FinishInfo.StopReasonOneofCase.None, response.Outputs.FinishInfo.StopReasonCase);
    }

    [Fact]
    public async Task Candidates_stand_beside_the_token_and_never_repeat_it()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        ResponseOptions options = new() { OutputText = false, OutputTokenIds = true, OutputCandidates = new() { TopN = 3 }, PromptCandidates = new() { TopN = 1 } };
        GenerateResponse response = await server.AskAsync(new GenerateRequest { Text = "hi", Response = options });
        SequenceOutput output = response.Outputs;
        Assert.Equal("", output.Text);
        Assert.Equal(6u, output.NumTokens);
        Assert.Equal(6, output.Logprobs.Count);
        Assert.Equal([1u, 1u, 1u, 1u, 1u, 0u], output.Ranks); // the script gives the end token no place among the candidates
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal([2u, 3u], output.CandidateTokens[i].Tokens.Select(t => t.Rank));
            Assert.DoesNotContain(output.TokenIds[i], output.CandidateTokens[i].Tokens.Select(t => t.Id));
        }

        Assert.Equal([1u, 2u, 3u], output.CandidateTokens[5].Tokens.Select(t => t.Rank));
        Assert.Equal(3, response.PromptInfo.Logprobs.Count);
        Assert.True(float.IsNaN(response.PromptInfo.Logprobs[0]));
        Assert.Equal(-0.25f, response.PromptInfo.Logprobs[1]);
        Assert.Equal([0u, 1u, 1u], response.PromptInfo.Ranks);
    }

    [Fact]
    public async Task The_request_id_is_the_messages_or_the_metadatas_or_fresh()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        await server.AskAsync(new GenerateRequest { Text = "hi", RequestId = "in-message" }, ("x-request-id", "in-metadata"));
        Assert.Equal("in-message", server.Engine.LastRequest.RequestId);
        await server.AskAsync(new GenerateRequest { Text = "hi" }, ("x-request-id", "in-metadata"));
        Assert.Equal("in-metadata", server.Engine.LastRequest.RequestId);
        await server.AskAsync(new GenerateRequest { Text = "hi" });
        Assert.Equal(32, server.Engine.LastRequest.RequestId.Length);
    }

    [Fact]
    public async Task A_cache_salt_keeps_blocks_apart_and_a_bypass_shares_with_nobody()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        ulong none = await SaltAsync(server, null);
        ulong one = await SaltAsync(server, new() { CacheSalt = "one" });
        Assert.Equal(one, await SaltAsync(server, new() { CacheSalt = "one" }));
        Assert.NotEqual(none, one);
        Assert.NotEqual(one, await SaltAsync(server, new() { CacheSalt = "two" }));
        KVCacheParameters bypass = new() { BypassPrefixCache = true };
        Assert.NotEqual(await SaltAsync(server, bypass), await SaltAsync(server, bypass));
    }

    private static async Task<ulong> SaltAsync(GrpcTestServer server, KVCacheParameters? kv)
    {
        GenerateRequest request = new() { Text = "hi" };
        if (kv is not null) request.Kv = kv;
        await server.AskAsync(request);
        return server.Engine.LastRequest.CacheSalt;
    }

    private static GenerateRequest Everything() => new()
    {
        RequestId = "my-id",
        Model = "test-model",
        TokenIds = new() { Ids = { 1, 2, 3 } },
        Temperature = 0.5f,
        Sampling = new() { NumSequences = 2, TopK = 40, TopP = 0.9f, MinP = 0.1f, Seed = -1 },
        Decoding = new() { PresencePenalty = 0.25f, FrequencyPenalty = -0.25f, RepetitionPenalty = 1.5f, LogitBias = { { 9, -2f } }, AllowedTokenIds = { 9, 10 } },
        Stopping = new() { MaxNewTokens = 30, MinNewTokens = 4, StopTokenIds = { 77 }, StopStrings = { "never" }, IgnoreEos = true },
        Response = new() { OutputCandidates = new() { TopN = 3 }, PromptCandidates = new() { TopN = 2 }, SkipSpecialTokens = false },
        Priority = -7,
        SessionId = "s",
    };
}
