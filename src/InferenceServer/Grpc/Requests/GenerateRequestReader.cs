using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using InferenceServer.Generation;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire;
using InferenceServer.Http;

namespace InferenceServer.Grpc.Requests;

/// <summary>A GenerateRequest into what the pipeline takes. The first wrong field ends the call with INVALID_ARGUMENT and its name.</summary>
internal static class GenerateRequestReader
{
    private const int DefaultMaxNewTokens = 20; // what the interface states for 0
    private const int MaxStops = 64; // as over HTTP, like the next two
    private const int MaxStopLength = 1024;
    private const int MaxStopTokens = 1024;

    /// <exception cref="GrpcException">A field is wrong or not supported.</exception>
    public static GenerationRequest Read(GenerateRequest message, ResponseShape shape, CallContext context)
    {
        RefuseUnsupported(message);
        StoppingCriteria stopping = message.Stopping ?? new();
        int maxTokens = stopping.MaxNewTokens == 0 ? DefaultMaxNewTokens : Refusal.Int("stopping.max_new_tokens", stopping.MaxNewTokens);
        if (stopping.MinNewTokens > maxTokens)
            throw Refusal.Invalid("stopping.min_new_tokens", $"is {stopping.MinNewTokens}, more than the {maxTokens} tokens that the output may have.");
        return new GenerationRequest
        {
            RequestId = RequestId(message, context),
            Model = message.Model.Length == 0 ? null : message.Model,
            Prompt = ReadPrompt(message),
            Sampling = SamplingReader.Read(message, shape),
            MaxTokens = maxTokens,
            Choices = Choices(message, context),
            StopStrings = Stops(stopping),
            StopTokens = Refusal.Ids("stopping.stop_token_ids", stopping.StopTokenIds, MaxStopTokens),
            IncludeStopString = stopping.IncludeStopStrings,
            IgnoreEndOfSequence = stopping.IgnoreEos,
            SkipSpecialTokens = message.Response is not { HasSkipSpecialTokens: true } response || response.SkipSpecialTokens,
            Priority = message.Priority,
            Timeout = context.Timeout,
            Caller = Salted(context.Caller, message.Kv),
        };
    }

    // An id in the message is what Abort will be called with, so that an unfit one is refused rather than replaced.
    private static string RequestId(GenerateRequest message, CallContext context)
    {
        if (message.RequestId.Length == 0) return RequestIds.Choose(context.MetadataId);
        return RequestIds.Choose(message.RequestId) == message.RequestId
            ? message.RequestId
            : throw Refusal.Invalid("request_id", "may have at most 128 letters, digits, '.', '_' and '-'.");
    }

    private static Prompt ReadPrompt(GenerateRequest message) => message.PromptCase switch
    {
        GenerateRequest.PromptOneofCase.Text => new Prompt.FromText(message.Text),
        GenerateRequest.PromptOneofCase.TokenIds => new Prompt.FromTokens(Refusal.Ids("token_ids", message.TokenIds.Ids, int.MaxValue)),
        _ => throw Refusal.Invalid("prompt", "is missing: set text or token_ids."),
    };

    private static int Choices(GenerateRequest message, CallContext context)
    {
        uint wanted = message.Sampling?.NumSequences ?? 0;
        if (wanted <= context.MaxSequences) return Math.Max(1, (int)wanted);
        throw Refusal.Invalid("sampling.num_sequences", context.MaxSequences == 1
            ? $"is {wanted}, but the answer of Generate holds one sequence; use GenerateStream for several."
            : $"is {wanted}; at most {context.MaxSequences} is expected.");
    }

    private static string[] Stops(StoppingCriteria stopping)
    {
        const string Field = "stopping.stop_strings";
        if (stopping.StopStrings.Count > MaxStops) throw Refusal.Invalid(Field, $"has {stopping.StopStrings.Count} entries; at most {MaxStops} are taken.");
        foreach (string stop in stopping.StopStrings)
        {
            if (stop.Length is 0 or > MaxStopLength) throw Refusal.Invalid(Field, $"holds a string of {stop.Length} characters; 1 to {MaxStopLength} are expected.");
        }

        return [.. stopping.StopStrings];
    }

    /// <summary>A caller's own salt is mixed into the tenant's, so that it narrows what is shared and never widens it.</summary>
    private static Caller Salted(Caller caller, KVCacheParameters? kv)
    {
        if (kv is null) return caller;
        Span<byte> seed = stackalloc byte[sizeof(ulong)];
        if (kv.BypassPrefixCache)
        {
            RandomNumberGenerator.Fill(seed);
            return caller with { CacheSalt = BinaryPrimitives.ReadUInt64LittleEndian(seed) };
        }

        if (kv.CacheSalt.Length == 0) return caller;
        BinaryPrimitives.WriteUInt64LittleEndian(seed, caller.CacheSalt);
        byte[] mixed = SHA256.HashData([.. seed, .. Encoding.UTF8.GetBytes(kv.CacheSalt)]);
        return caller with { CacheSalt = BinaryPrimitives.ReadUInt64LittleEndian(mixed) };
    }

    private static void RefuseUnsupported(GenerateRequest message)
    {
        if (message.TruncatePromptTokens != 0) throw Refusal.Unsupported("truncate_prompt_tokens", "it never cuts a prompt; shorten it before sending.");
        if (message.Media.Count != 0) throw Refusal.Unsupported("media", "the models here take text and token ids.");
        if (message.LoraName.Length != 0) throw Refusal.Unsupported("lora_name", "adapters are not loaded; leave it empty.");
        if (message.Kv?.KvTransferParams is not null) throw Refusal.Unsupported("kv.kv_transfer_params", "it keeps its KV cache to itself.");
        if (message.Kv?.EcTransferParams is not null) throw Refusal.Unsupported("kv.ec_transfer_params", "it has no encoder cache.");
    }
}
