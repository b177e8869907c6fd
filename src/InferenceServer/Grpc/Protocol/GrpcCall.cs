using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using Google.Protobuf;

namespace InferenceServer.Grpc.Protocol;

/// <summary>One call over one HTTP/2 stream: messages in, messages out, a deadline. One reader and one writer.</summary>
internal sealed class GrpcCall(HttpContext http, GrpcLimits limits, TimeSpan? timeout, CancellationToken cancelled)
{
    private readonly long _arrived = Stopwatch.GetTimestamp();

    /// <summary>What the caller sent along.</summary>
    public IHeaderDictionary Metadata => http.Request.Headers;

    /// <summary>Goes out before the first message.</summary>
    public IHeaderDictionary ResponseMetadata => http.Response.Headers;

    /// <summary>Until the deadline; null when there is none.</summary>
    public TimeSpan? TimeLeft => timeout is { } all ? all - Stopwatch.GetElapsedTime(_arrived) : null;

    /// <summary>Fires when the deadline passes or the client cancels or leaves.</summary>
    public CancellationToken Cancelled => cancelled;

    /// <summary>A message was written, so that metadata can no longer be set and the status comes after it.</summary>
    public bool HasWritten { get; private set; }

    /// <summary>Bytes written since the last flush.</summary>
    public long Unflushed { get; private set; }

    /// <summary>The next request message; null once the client has sent its last, or after <see cref="StopReading"/>.</summary>
    /// <exception cref="GrpcException">What arrived is no message of this type.</exception>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        PipeReader reader = http.Request.BodyReader;
        while (true)
        {
            ReadResult read = await reader.ReadAsync(cancelled);
            ReadOnlySequence<byte> buffer = read.Buffer;
            T? message = TryTake(parser, ref buffer); // parsed before AdvanceTo gives the bytes back
            reader.AdvanceTo(buffer.Start, message is null ? buffer.End : buffer.Start);
            if (message is not null) return message;
            if (read.IsCanceled) return null;
            if (!read.IsCompleted) continue;
            return buffer.IsEmpty ? null : throw new GrpcException(GrpcStatus.Internal, $"The request ended inside a message, after {buffer.Length} bytes of it.");
        }
    }

    /// <summary>The one message of a call that has one.</summary>
    public async ValueTask<T> ReadOneAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        T message = await ReadAsync(parser) ?? throw new GrpcException(GrpcStatus.Internal, "The request holds no message; this method takes one.");
        return await ReadAsync(parser) is null ? message : throw new GrpcException(GrpcStatus.Internal, "The request holds more than one message; this method takes one.");
    }

    /// <summary>Makes a pending or the next <see cref="ReadAsync"/> return null. From any thread.</summary>
    public void StopReading() => http.Request.BodyReader.CancelPendingRead();

    /// <summary>Queues a message for the next flush.</summary>
    public void Write(IMessage message)
    {
        HasWritten = true;
        Unflushed += MessageFrame.Write(http.Response.BodyWriter, message);
    }

    /// <summary>Sends what was written; waits while the client's window is full.</summary>
    /// <exception cref="OperationCanceledException">The client left, took nothing for the stall limit, or the deadline passed.</exception>
    public async ValueTask FlushAsync()
    {
        Unflushed = 0;
        ValueTask<FlushResult> flush = http.Response.BodyWriter.FlushAsync(cancelled);
        FlushResult flushed = flush.IsCompletedSuccessfully ? flush.Result : await FlushSlowAsync(flush);
        if (flushed.IsCompleted) throw new OperationCanceledException("The client left.");
    }

    private async ValueTask<FlushResult> FlushSlowAsync(ValueTask<FlushResult> flush)
    {
        try
        {
            return await flush.AsTask().WaitAsync(limits.StallLimit, cancelled);
        }
        catch (TimeoutException e)
        {
            http.Abort();
            throw new OperationCanceledException($"The client took nothing for {limits.StallLimit.TotalSeconds} s.", e);
        }
    }

    private T? TryTake<T>(MessageParser<T> parser, ref ReadOnlySequence<byte> buffer) where T : class, IMessage<T>
    {
        if (!MessageFrame.TryRead(ref buffer, limits.MaxMessageBytes, out ReadOnlySequence<byte> bytes)) return null;
        try
        {
            return parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(GrpcStatus.Internal, $"The request message is not a {typeof(T).Name}: {e.Message}");
        }
    }
}
