using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Admission;

/// <summary>What can be said of a request before it is queued. Immutable; thread-safe.</summary>
internal sealed class RequestValidator
{
    private readonly RunnerLimits _limits;
    private readonly int _seats;

    public RequestValidator(RunnerLimits limits, int seats)
    {
        _limits = limits;
        _seats = seats;
        Capacity = (int)Math.Min(limits.ContextLength, (long)limits.BlockCount * limits.BlockSize);
    }

    /// <summary>Tokens that one sequence can have: the context, or the whole KV pool where that is less.</summary>
    public int Capacity { get; }

    /// <summary>The caller's limit, cut to what fits after the prompt.</summary>
    public int MaxTokensFor(EngineRequest request) => Math.Min(request.MaxTokens, Capacity - request.PromptTokens.Length);

    /// <summary>Null when the request can be run.</summary>
    public RequestRejected? Check(EngineRequest request)
    {
        if (request.PromptTokens.Length == 0)
            return Invalid("invalid_prompt", "prompt", "The prompt has no tokens; send at least one.");
        if (request.MaxTokens < 0)
            return Invalid("invalid_value", "max_tokens", $"max_tokens is {request.MaxTokens}; send 0 or more.");
        if (request.Choices < 1 || request.Choices > _seats)
            return Invalid("invalid_value", "n", $"n is {request.Choices}, but this server runs 1 to {_seats} choices at once; lower n or send several requests.");
        if (!(request.TenantWeight > 0) || double.IsInfinity(request.TenantWeight))
            return Invalid("invalid_value", null, $"The tenant's weight is {request.TenantWeight}; it must be a positive number.");
        return CheckLength(request) ?? CheckTokens(request.PromptTokens);
    }

    private RequestRejected? CheckLength(EngineRequest request)
    {
        int room = request.MaxTokens > 0 ? 1 : 0; // a completion needs at least one place
        if (request.PromptTokens.Length + room <= Capacity) return null;
        string limit = Capacity == _limits.ContextLength
            ? $"This model's maximum context length is {Capacity} tokens"
            : $"This server's KV cache holds {Capacity} tokens";
        return Invalid("context_length_exceeded", "prompt",
            $"{limit}, but the prompt has {request.PromptTokens.Length} and the completion needs at least {room}. Shorten the prompt.");
    }

    private RequestRejected? CheckTokens(int[] tokens)
    {
        for (int i = 0; i < tokens.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)_limits.VocabularySize)
                return Invalid("invalid_prompt", "prompt", $"Token {tokens[i]} at position {i} is outside the vocabulary; ids run from 0 to {_limits.VocabularySize - 1}.");
        }

        return null;
    }

    private static RequestRejected Invalid(string code, string? param, string message) => new(RejectionKind.Invalid, code, param, message);
}
