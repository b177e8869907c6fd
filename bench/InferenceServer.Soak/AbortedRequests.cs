using System.Text;
using System.Text.Json.Nodes;

namespace InferenceServer.Soak;

/// <summary>Good requests whose sender leaves at a random moment. Nothing is expected of the answer; that nothing stays behind shows at the end.</summary>
internal sealed class AbortedRequests(ApiClient client, PromptBook book)
{
    public IEnumerable<Scenario> Scenarios =>
    [
        new("abort_early", 70, EarlyAsync),
        new("abort_in_stream", 70, InStreamAsync),
    ];

    /// <summary>Cancelled after 0 to 60 ms: while connecting, sending, queueing, in prefill or in decode.</summary>
    private async Task<string?> EarlyAsync(Random random, CancellationToken cancellation)
    {
        using CancellationTokenSource leave = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        leave.CancelAfter(random.Next(0, 60));
        try
        {
            await client.AskAsync("v1/chat/completions", LongBody(random, stream: random.Next(2) == 0), null, leave.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null; // as planned
        }

        return null; // it was faster than we left
    }

    private async Task<string?> InStreamAsync(Random random, CancellationToken cancellation)
    {
        byte[] body = Encoding.UTF8.GetBytes(LongBody(random, stream: true).ToJsonString());
        using HttpResponseMessage response = await client.BeginAsync("v1/chat/completions", body, null, cancellation);
        if (!response.IsSuccessStatusCode) return $"answered {(int)response.StatusCode}";
        using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
        byte[] buffer = new byte[256];
        int left = random.Next(1, 4000);
        while (left > 0)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(0, Math.Min(left, buffer.Length)), cancellation);
            if (read == 0) return null; // it was done before we left
            left -= read;
        }

        return null; // disposing an unread response closes the connection
    }

    private JsonObject LongBody(Random random, bool stream)
    {
        JsonObject body = book.Chat(random, random.Next(3) == 0 ? PromptBook.Filler(random, random.Next(50, 400)) : null);
        body["max_tokens"] = random.Next(8, 160);
        body["ignore_eos"] = true;
        body["stream"] = stream;
        if (random.Next(5) == 0) body["n"] = random.Next(2, 5);
        return body;
    }
}
