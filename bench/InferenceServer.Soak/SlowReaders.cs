using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace InferenceServer.Soak;

/// <summary>
/// A fixed number of readers that ask for much, take a few bytes a second for some seconds, and leave. A small receive buffer makes the
/// server's writes wait: whatever it holds for them meanwhile must neither stall the others nor pile up.
/// </summary>
internal sealed class SlowReaders(RawConnections connections, PromptBook book, Ledger ledger)
{
    private const int ReceiveBuffer = 2048; // the least that Linux allows
    private const int BytesARead = 8;

    public Task RunAsync(int count, int seed, CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, count).Select(i => LoopAsync(new Random(unchecked(seed * 31 + i)), stop)));

    private async Task LoopAsync(Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await ReadSlowlyAsync(random, stop);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException e)
            {
                ledger.Violation("slow_reader", $"the connection failed: {e.SocketErrorCode}");
                await Task.Delay(1000, CancellationToken.None);
            }

            ledger.Finished("slow_reader");
        }
    }

    private async Task ReadSlowlyAsync(Random random, CancellationToken stop)
    {
        JsonObject body = book.Chat(random);
        body["max_tokens"] = 200;
        body["ignore_eos"] = true;
        body["stream"] = true;
        body["logprobs"] = true; // two kilobytes a token
        body["top_logprobs"] = 20;
        using Socket socket = await connections.ConnectAsync(ReceiveBuffer, stop);
        await socket.SendAsync(RawConnections.Request("v1/chat/completions", body.ToJsonString()), stop);
        byte[] few = new byte[BytesARead];
        for (int reads = random.Next(10, 40); reads > 0; reads--)
        {
            if (await socket.ReceiveAsync(few, stop) == 0) return;
            await Task.Delay(250, stop);
        }
    }
}
