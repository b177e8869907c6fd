using System.Text;
using System.Text.Json.Nodes;

namespace InferenceServer.Soak;

/// <summary>Requests that must be refused, each with the status, code and parameter that help its sender.</summary>
internal sealed class BadRequests(ApiClient client, PromptBook book, BadInputs inputs)
{
    private const string Both = "both";
    private const string Chat = "v1/chat/completions";
    private const string Completion = "v1/completions";

    private static readonly string[] Paths = [Chat, Completion, "tokenize", "detokenize"];

    // Endpoint, the field that is wrong, its value as JSON, the parameter that the error names.
    private static readonly (string Path, string Field, string Value, string Param)[] WrongFields =
    [
        (Both, "temperature", "\"hot\"", "temperature"), (Both, "temperature", "3", "temperature"), (Both, "temperature", "-0.1", "temperature"), (Both, "temperature", "1e400", "temperature"),
        (Both, "top_p", "2", "top_p"), (Both, "top_p", "[]", "top_p"), (Both, "top_k", "-2", "top_k"), (Both, "top_k", "1.5", "top_k"), (Both, "min_p", "-1", "min_p"),
        (Chat, "max_tokens", "0", "max_tokens"), (Both, "max_tokens", "-5", "max_tokens"), (Both, "max_tokens", "\"many\"", "max_tokens"), (Both, "max_tokens", "99999999999999999999", "max_tokens"),
        (Both, "n", "0", "n"), (Both, "n", "100000", "n"), (Both, "n", "{}", "n"), (Both, "stop", "5", "stop"), (Both, "stop", "\"\"", "stop"), (Both, "stop", "[\"a\",1]", "stop[1]"),
        (Chat, "logprobs", "\"yes\"", "logprobs"), (Completion, "logprobs", "-1", "logprobs"), (Chat, "top_logprobs", "99", "top_logprobs"), (Chat, "top_logprobs", "2", "top_logprobs"),
        (Both, "presence_penalty", "3", "presence_penalty"), (Both, "frequency_penalty", "-2.5", "frequency_penalty"), (Both, "repetition_penalty", "0", "repetition_penalty"),
        (Both, "seed", "\"x\"", "seed"), (Both, "seed", "1.5", "seed"), (Both, "stream", "\"yes\"", "stream"), (Both, "stream_options", "{\"include_usage\":true}", "stream_options"),
        (Both, "logit_bias", "{\"a\":1}", "logit_bias"), (Both, "logit_bias", "{\"1\":500}", "logit_bias.1"), (Both, "logit_bias", "{\"99999999\":1}", "logit_bias"), (Both, "logit_bias", "7", "logit_bias"),
        (Chat, "messages", "null", "messages"), (Chat, "messages", "[]", "messages"), (Chat, "messages", "\"hi\"", "messages"), (Chat, "messages", "[1]", "messages[0]"),
        (Chat, "messages", "[{\"role\":\"king\",\"content\":\"x\"}]", "messages[0].role"), (Chat, "messages", "[{\"role\":\"user\",\"content\":5}]", "messages[0].content"), (Chat, "messages", "[{\"role\":\"user\"}]", "messages[0].content"),
        (Completion, "prompt", "null", "prompt"), (Completion, "prompt", "{}", "prompt"), (Completion, "prompt", "[]", "prompt"), (Completion, "prompt", "[-1]", "prompt[0]"), (Completion, "prompt", "[99999999]", "prompt"),
        (Completion, "prompt", "[\"a\",[1]]", "prompt[1]"), (Both, "min_tokens", "1000", "min_tokens"), (Both, "allowed_token_ids", "[]", "allowed_token_ids"), (Both, "model", "5", "model"),
    ];

    public IEnumerable<Scenario> Scenarios =>
    [
        new("bad_json", 100, BrokenAsync),
        new("wrong_field", 100, WrongFieldAsync),
        new("truncated_json", 20, TruncatedAsync),
        new("oversized_prompt", 20, OversizedPromptAsync),
        new("huge_prompt", 1, HugePromptAsync),
        new("unknown_model", 20, UnknownModelAsync),
        new("unknown_url", 10, UnknownUrlAsync),
    ];

    private async Task<string?> BrokenAsync(Random random, CancellationToken cancellation)
    {
        string path = Paths[random.Next(Paths.Length)];
        byte[] body = inputs.BrokenJson[random.Next(inputs.BrokenJson.Count)];
        Answer answer = await client.AskAsync(path, body, null, cancellation);
        return Refused(answer, 400, null, null, () => $"POST /{path} of '{Encoding.Latin1.GetString(body.AsSpan(0, Math.Min(80, body.Length)))}'");
    }

    private async Task<string?> WrongFieldAsync(Random random, CancellationToken cancellation)
    {
        (string path, string field, string value, string param) = WrongFields[random.Next(WrongFields.Length)];
        if (path == Both) path = random.Next(2) == 0 ? Chat : Completion;
        JsonObject body = new() { ["model"] = book.Model, ["max_tokens"] = 4 };
        if (path == Chat) body["messages"] = new JsonArray(PromptBook.Message("user", "hello"));
        else body["prompt"] = "hello";
        body.Remove(field);
        // Written by hand: 1e400 is JSON, yet no number that a .NET type holds.
        string text = body.ToJsonString()[..^1] + $",\"{field}\":{value}}}";
        Answer answer = await client.AskAsync(path, Encoding.UTF8.GetBytes(text), null, cancellation);
        return Refused(answer, 400, null, param, () => $"POST /{path} of {text}");
    }

    private async Task<string?> TruncatedAsync(Random random, CancellationToken cancellation)
    {
        byte[] whole = Encoding.UTF8.GetBytes(book.Chat(random).ToJsonString());
        Answer answer = await client.AskAsync(Chat, whole[..random.Next(whole.Length)], null, cancellation);
        return Refused(answer, 400, "invalid_json", null, () => "half a JSON body");
    }

    private async Task<string?> OversizedPromptAsync(Random random, CancellationToken cancellation)
    {
        JsonObject body;
        switch (random.Next(3))
        {
            case 0:
                body = book.Chat(random, PromptBook.Filler(random, random.Next(6_000, 20_000)));
                break;
            case 1:
                body = book.Completion(random);
                body["prompt"] = new JsonArray([.. Enumerable.Range(0, random.Next(5_000, 20_000)).Select(_ => JsonValue.Create(random.Next(2000)))]);
                break;
            default:
                body = book.Chat(random);
                body["max_tokens"] = random.Next(100_000, int.MaxValue);
                break;
        }

        if (random.Next(2) == 0) body["stream"] = true;
        string path = body.ContainsKey("messages") ? Chat : Completion;
        return Refused(await client.AskAsync(path, body, null, cancellation), 400, "context_length_exceeded", path == Chat ? "messages" : "prompt", () => "more than the context");
    }

    /// <summary>As large as a body may be: the tokenizer has to read all of it before it is too long.</summary>
    private async Task<string?> HugePromptAsync(Random random, CancellationToken cancellation)
    {
        int length = random.Next(1 << 20, 3 << 20);
        string text = random.Next(3) switch
        {
            0 => new string('a', length),
            1 => "x" + new string(' ', length) + "y", // chat templates trim what is outside
            _ => PromptBook.Filler(random, length / 6),
        };
        return Refused(await client.AskAsync(Chat, book.Chat(random, text), null, cancellation), 400, "context_length_exceeded", "messages", () => $"{length} characters");
    }

    private async Task<string?> UnknownModelAsync(Random random, CancellationToken cancellation)
    {
        JsonObject body = book.Chat(random);
        body["model"] = "no-" + inputs.NaughtyStrings[random.Next(inputs.NaughtyStrings.Count)];
        return Refused(await client.AskAsync(Chat, body, null, cancellation), 404, "model_not_found", null, () => "an unknown model");
    }

    private async Task<string?> UnknownUrlAsync(Random random, CancellationToken cancellation)
    {
        string path = new[] { "v1/nothing", "v1/chat", "admin", "v1//completions/" }[random.Next(4)];
        Answer answer = await client.AskAsync(path, "{}"u8.ToArray(), null, cancellation);
        return answer.Status is >= 400 and < 500 ? null : $"POST /{path} answered {answer.Status}";
    }

    private static string? Refused(Answer answer, int status, string? code, string? param, Func<string> sent)
    {
        if (answer.Status != status) return $"{sent()} answered {answer.Status} instead of {status} ({answer.ErrorMessage})";
        if (string.IsNullOrEmpty(answer.ErrorMessage)) return $"{sent()} was refused without a message";
        if (code is not null && answer.ErrorCode != code) return $"{sent()} has the code {answer.ErrorCode} instead of {code} ({answer.ErrorMessage})";
        return param is null || answer.ErrorParam == param ? null : $"{sent()} names the parameter {answer.ErrorParam ?? "null"} instead of {param} ({answer.ErrorMessage})";
    }
}
