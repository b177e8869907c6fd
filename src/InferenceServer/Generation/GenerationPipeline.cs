using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Text;
using InferenceServer.Hosting;
using InferenceServer.Telemetry;

namespace InferenceServer.Generation;

/// <summary>
/// The way from a parsed request to tokens in the engine: resolve the model, render, encode, check lengths, submit.
/// The same for every door. Thread-safe; holds no state of its own.
/// </summary>
internal sealed class GenerationPipeline(ModelRegistry models, ServerMetrics? metrics = null, RunningRequests? running = null)
{
    private static readonly JsonElement True = JsonDocument.Parse("true").RootElement;
    private static readonly JsonElement False = JsonDocument.Parse("false").RootElement;

    /// <summary>Exactly one of the results is set. Nothing was queued when it is the rejection.</summary>
    public (TextGeneration? Generation, RequestRejected? Rejection) Start(GenerationRequest request)
    {
        (TextGeneration? generation, RequestRejected? rejection) = TryStart(request);
        if (rejection is not null) metrics?.Rejected(rejection);
        return (generation, rejection);
    }

    private (TextGeneration? Generation, RequestRejected? Rejection) TryStart(GenerationRequest request)
    {
        if (!models.TryResolve(request.Model, out ServedModel? model, out RequestRejected? rejection)) return (null, rejection);

        (int[]? prompt, rejection) = EncodePrompt(model, request.Prompt, refuseTooLong: true);
        if (prompt is null) return (null, rejection);
        rejection = CheckLengths(model, request, prompt) ?? CheckIds(model, request, prompt);
        if (rejection is not null) return (null, rejection);

        Submission submission = model.Engine.Submit(ToEngineRequest(model, request, prompt));
        return submission.Generation is { } generation
            ? (new TextGeneration(model, request, prompt, generation, running), null)
            : (null, submission.Rejection);
    }

    /// <summary>The ids of a prompt, as generation would see them. Used by /tokenize too.</summary>
    public static (int[]? Ids, RequestRejected? Rejection) EncodePrompt(ServedModel model, Prompt prompt, bool refuseTooLong = false)
    {
        switch (prompt)
        {
            case Prompt.FromTokens tokens:
                return (tokens.Ids, null);
            case Prompt.FromText text when refuseTooLong && TooLong(model, text.Text, "prompt") is { } tooLong:
                return (null, tooLong);
            case Prompt.FromText text:
                return (Encode(model, text.Text, new EncodeOptions { AddSpecial = text.AddSpecialTokens, ParseSpecial = text.ParseSpecialTokens }), null);
            case Prompt.Chat chat:
                (RenderedPrompt? rendered, RequestRejected? rejection) = Render(model, chat);
                if (refuseTooLong && rendered is not null) rejection = TooLong(model, rendered.Text, "messages");
                return rendered is null || rejection is not null
                    ? (null, rejection)
                    : (Encode(model, rendered.Text, new EncodeOptions { AddSpecial = false, ParseSpecial = true, Literal = rendered.UserText }), null);
            default:
                throw new InvalidOperationException($"Unknown kind of prompt {prompt.GetType().Name}.");
        }
    }

    private static (RenderedPrompt?, RequestRejected?) Render(ServedModel model, Prompt.Chat chat)
    {
        if (model.Template is null)
        {
            return (null, new(RejectionKind.Invalid, "invalid_value", "model",
                $"The model '{model.Id}' has no chat template; use /v1/completions, or start the server with --chat-template FILE."));
        }

        Dictionary<string, JsonElement> variables = [];
        foreach ((string name, string value) in model.TemplateTokens) variables[name] = JsonSerializer.SerializeToElement(value);
        variables["add_generation_prompt"] = chat.AddGenerationPrompt ? True : False;
        foreach ((string name, JsonElement value) in chat.Variables ?? new Dictionary<string, JsonElement>()) variables[name] = value;
        try
        {
            return (model.Template.Render(new ChatTemplateInput
            {
                Messages = chat.Messages,
                Tools = chat.Tools,
                Variables = variables,
                Now = model.Time.GetLocalNow(),
            }), null);
        }
        catch (ChatTemplateException e)
        {
            return (null, new(RejectionKind.Invalid, "invalid_value", "messages", $"The chat template refused these messages: {e.Message}"));
        }
    }

    /// <summary>
    /// Refuses a text that cannot fit however it is split, before megabytes of it are tokenized. Four times the bound leaves room for
    /// white space that a normalizer drops.
    /// </summary>
    private static RequestRejected? TooLong(ServedModel model, string text, string param)
    {
        long most = 4L * model.ContextLength * model.Tokenizer.LongestTokenBytes;
        return most == 0 || text.Length <= most ? null : new(RejectionKind.Invalid, "context_length_exceeded", param,
            $"This model's maximum context length is {model.ContextLength} tokens. However, the prompt has {text.Length} characters, more than so many tokens can hold. Please reduce its length.");
    }

    private static int[] Encode(ServedModel model, string text, EncodeOptions options)
    {
        List<int> ids = new(text.Length / 3 + 8);
        model.Tokenizer.Encode(text, options, ids);
        return [.. ids];
    }

    private static RequestRejected? CheckLengths(ServedModel model, GenerationRequest request, int[] prompt)
    {
        string param = request.Prompt is Prompt.Chat ? "messages" : "prompt";
        if (prompt.Length == 0) return new(RejectionKind.Invalid, "invalid_value", param, "The prompt is empty: it has no tokens.");
        long wanted = prompt.Length + (long)(request.MaxTokens ?? 1);
        if (wanted <= model.ContextLength) return null;
        string completion = request.MaxTokens is { } max ? $"{max} in the completion" : "at least 1 in the completion";
        return new(RejectionKind.Invalid, "context_length_exceeded", param,
            $"This model's maximum context length is {model.ContextLength} tokens. However, you requested {wanted} tokens ({prompt.Length} in the prompt, {completion}). Please reduce the length of the prompt or of the completion.");
    }

    private static RequestRejected? CheckIds(ServedModel model, GenerationRequest request, int[] prompt)
    {
        int vocabulary = model.VocabularySize;
        return FirstOutside(prompt, vocabulary, "prompt")
            ?? FirstOutside(request.StopTokens, vocabulary, "stop_token_ids")
            ?? FirstOutside(request.Sampling.AllowedTokens, vocabulary, "allowed_token_ids")
            ?? FirstOutside(request.Sampling.BannedTokens, vocabulary, "bad_words")
            ?? FirstOutside(request.Sampling.LogitBias?.Keys, vocabulary, "logit_bias");
    }

    private static RequestRejected? FirstOutside(IEnumerable<int>? ids, int vocabulary, string param)
    {
        foreach (int id in ids ?? [])
        {
            if ((uint)id >= (uint)vocabulary)
                return new(RejectionKind.Invalid, "invalid_value", param, $"Token id {id} is outside this model's vocabulary of {vocabulary}.");
        }

        return null;
    }

    private static EngineRequest ToEngineRequest(ServedModel model, GenerationRequest request, int[] prompt) => new()
    {
        RequestId = request.RequestId,
        PromptTokens = prompt,
        Sampling = request.Sampling.Over(model.Defaults),
        MaxTokens = request.MaxTokens ?? model.ContextLength - prompt.Length,
        Choices = request.Choices,
        StopTokens = request.IgnoreEndOfSequence ? request.StopTokens : [.. model.EndTokens, .. request.StopTokens],
        Tenant = request.Caller.Tenant,
        CacheSalt = request.Caller.CacheSalt,
        Priority = request.Priority,
        DeadlineTimestamp = request.Timeout is { } timeout
            ? model.Time.GetTimestamp() + (long)(timeout.TotalSeconds * model.Time.TimestampFrequency)
            : null,
    };
}
