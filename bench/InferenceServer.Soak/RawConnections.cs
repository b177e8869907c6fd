using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace InferenceServer.Soak;

/// <summary>What no HTTP library would send: garbage, half requests, lying lengths, resets. Each on a connection of its own.</summary>
internal sealed class RawConnections(Uri url, PromptBook book, Ledger ledger)
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(20);

    private static readonly string[] Garbage =
    [
        "\r\n\r\n\r\n", "GET\r\n\r\n", "\0\0\0\0\0\0\0\0\n\n", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /health HTTP/1.1\r\n no-name\r\n\r\n", "\u0016\u0003\u0001\u0002\0\u0001", "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /%00%ff HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    ];

    public IEnumerable<Scenario> Scenarios =>
    [
        new("raw_garbage", 15, GarbageAsync),
        new("half_request", 15, HalfRequestAsync),
        new("reset", 20, ResetAsync),
        new("oversized_body", 4, OversizedBodyAsync),
    ];

    public async Task<Socket> ConnectAsync(int? receiveBuffer, CancellationToken cancellation)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } bytes) socket.ReceiveBufferSize = bytes;
        await socket.ConnectAsync(url.Host, url.Port, cancellation);
        return socket;
    }

    public static byte[] Request(string path, string body, long? contentLength = null)
    {
        string length = (contentLength ?? Encoding.UTF8.GetByteCount(body)).ToString(CultureInfo.InvariantCulture);
        return Encoding.UTF8.GetBytes($"POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    }

    private async Task<string?> GarbageAsync(Random random, CancellationToken cancellation)
    {
        byte[] bytes;
        if (random.Next(3) == 0) random.NextBytes(bytes = new byte[random.Next(1, 4096)]);
        else bytes = Encoding.Latin1.GetBytes(Garbage[random.Next(Garbage.Length)]);
        using Socket socket = await ConnectAsync(null, cancellation);
        try
        {
            await socket.SendAsync(bytes, cancellation);
            socket.Shutdown(SocketShutdown.Send);
            int? status = await StatusAsync(socket, cancellation);
            // 505 is the true answer to HTTP/9.9; anything but a refusal or a closed connection is not.
            return status is null or (>= 400 and < 500) or 505 ? null : $"{bytes.Length} bytes of garbage were answered with {status}";
        }
        catch (SocketException)
        {
            return null; // closed or reset by the server: a fair answer to garbage
        }
    }

    private async Task<string?> HalfRequestAsync(Random random, CancellationToken cancellation)
    {
        byte[] whole = Request("v1/chat/completions", book.Chat(random).ToJsonString());
        using Socket socket = await ConnectAsync(null, cancellation);
        await socket.SendAsync(whole.AsMemory(0, random.Next(1, whole.Length)), cancellation);
        await Task.Delay(random.Next(0, 400), cancellation);
        return null; // closed in good order, the request is not whole
    }

    /// <summary>A whole request and then a reset, not a polite end, at a random moment of its answer.</summary>
    private async Task<string?> ResetAsync(Random random, CancellationToken cancellation)
    {
        System.Text.Json.Nodes.JsonObject body = book.Chat(random);
        body["max_tokens"] = 100;
        body["stream"] = random.Next(2) == 0;
        using Socket socket = await ConnectAsync(null, cancellation);
        await socket.SendAsync(Request("v1/chat/completions", body.ToJsonString()), cancellation);
        await Task.Delay(random.Next(0, 100), cancellation);
        socket.LingerState = new LingerOption(enable: true, seconds: 0); // closing now sends RST
        return null;
    }

    /// <summary>More than any server takes: announced, so that it must be refused unread, or in chunks, so that it must be cut off in time.</summary>
    private async Task<string?> OversizedBodyAsync(Random random, CancellationToken cancellation)
    {
        using Socket socket = await ConnectAsync(null, cancellation);
        try
        {
            if (random.Next(2) == 0) await socket.SendAsync(Request("v1/chat/completions", "{\"messages\":[", 1L << 40), cancellation);
            else await SendChunksAsync(socket, cancellation);
            int? status = await StatusAsync(socket, cancellation);
            return status is null or 413 ? null : $"a body beyond all limits was answered with {status}";
        }
        catch (SocketException)
        {
            return null; // the server closed the connection while we were sending
        }
    }

    private static async Task SendChunksAsync(Socket socket, CancellationToken cancellation)
    {
        const int Megabytes = 40; // above the default limit of 32 MB
        await socket.SendAsync("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray(), cancellation);
        byte[] chunk = [.. "100000\r\n"u8, .. Enumerable.Repeat((byte)'[', 0x100000), .. "\r\n"u8];
        for (int i = 0; i < Megabytes && socket.Available == 0; i++) await socket.SendAsync(chunk, cancellation);
    }

    /// <summary>The status of the answer; null when the connection was closed without one.</summary>
    /// <exception cref="TimeoutException">Neither came: the server let the connection hang.</exception>
    private async Task<int?> StatusAsync(Socket socket, CancellationToken cancellation)
    {
        byte[] start = new byte[64];
        int length = 0;
        while (length < 12)
        {
            int read = await socket.ReceiveAsync(start.AsMemory(length), cancellation).AsTask().WaitAsync(AnswerLimit, cancellation);
            if (read == 0) break;
            length += read;
        }

        if (length < 12 || !int.TryParse(Encoding.ASCII.GetString(start, 9, 3), CultureInfo.InvariantCulture, out int status)) return null;
        if (status != 505) ledger.Count(status);
        return status;
    }
}
