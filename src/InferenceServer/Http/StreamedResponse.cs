using System.IO.Pipelines;
using InferenceServer.Generation;
using InferenceServer.Http.Responses;

namespace InferenceServer.Http;

/// <summary>
/// Sends a group of generations as server-sent events: whatever became known since the last wake-up goes out in one write.
/// A client that reads slowly holds up this task alone; one that leaves ends it by the cancellation of its request.
/// </summary>
internal sealed class StreamedResponse(HttpContext http, GenerationGroup group, ChunkWriter chunks, StreamTiming timing, TimeProvider time)
{
    private const int MaxBuffered = 64 << 10; // Kestrel's own response buffer: more would only wait there

    private readonly long _arrived = time.GetTimestamp();
    private bool _committed;

    /// <exception cref="OperationCanceledException">The client left.</exception>
    public async Task RunAsync()
    {
        try
        {
            if (await FirstEventAsync() is not { } first) return;
            if (!_committed && FinishReasons.Failure(first.Text) is { } failure)
            {
                await ErrorWriter.WriteAsync(http, failure);
                return;
            }

            Commit();
            chunks.Begin();
            await SendAllAsync(first.Prompt, first.Text);
        }
        catch (TimeoutException)
        {
            http.Abort(); // the caller disposes the generations
        }
    }

    private async Task<(int Prompt, TextEvent Text)?> FirstEventAsync()
    {
        while (true)
        {
            if (group.TryRead(out int prompt, out TextEvent text)) return (prompt, text);
            Task<bool> wait = group.WaitAsync(http.RequestAborted).AsTask();
            while (!await CompletesSoonAsync(wait))
            {
                Commit();
                chunks.Ping();
                if (!await SendAsync()) return null;
            }

            if (!await wait) return null;
        }
    }

    private async Task SendAllAsync(int prompt, TextEvent text)
    {
        bool any = true; // an event is at hand
        do
        {
            while (any)
            {
                if (FinishReasons.Failure(text) is { } failure)
                {
                    chunks.Error(failure);
                    await SendAsync();
                    return;
                }

                if (text.Kind != TextEventKind.Finished) chunks.Write(prompt, text);
                any = chunks.Buffer.WrittenCount < MaxBuffered && group.TryRead(out prompt, out text);
            }

            if (group.Finished) chunks.End();
            if (!await SendAsync() || group.Finished) return;
            any = await group.WaitAsync(http.RequestAborted) && group.TryRead(out prompt, out text);
        }
        while (true);
    }

    private void Commit()
    {
        if (_committed) return;
        _committed = true;
        HttpResponse response = http.Response;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no"; // nginx would collect the events
        response.Headers["Server-Timing"] = ServerTiming.ToFirstToken(time.GetElapsedTime(_arrived));
    }

    /// <summary>False: the client reads no more.</summary>
    /// <exception cref="TimeoutException">The client took nothing for the stall limit.</exception>
    private async ValueTask<bool> SendAsync()
    {
        if (chunks.Buffer.WrittenCount == 0) return true;
        ValueTask<FlushResult> write = http.Response.BodyWriter.WriteAsync(chunks.Buffer.WrittenMemory, http.RequestAborted);
        FlushResult result = write.IsCompletedSuccessfully
            ? write.Result
            : await write.AsTask().WaitAsync(timing.StallLimit, time, http.RequestAborted);
        chunks.Buffer.ResetWrittenCount();
        return !result.IsCompleted;
    }

    private async ValueTask<bool> CompletesSoonAsync(Task wait)
    {
        if (wait.IsCompleted) return true;
        try
        {
            await wait.WaitAsync(timing.PingInterval, time);
            return true;
        }
        catch (TimeoutException) when (!wait.IsCompleted)
        {
            return false;
        }
    }
}
