using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace InferenceServer.Grpc.Protocol;

/// <summary>A message on the wire: one byte that says whether it is compressed, four that give its length, big-endian, then the message.</summary>
internal static class MessageFrame
{
    private const int PrefixBytes = 5;

    // Below this a message is written in place; above, protobuf asks the writer for buffer after buffer.
    private const int InPlaceBytes = 4096; // a segment of Kestrel's pipe

    /// <summary>Cuts the next message off <paramref name="buffer"/>; false when it has not arrived whole.</summary>
    /// <exception cref="GrpcException">It is compressed, or larger than <paramref name="maxBytes"/>; nothing is allocated for what the prefix claims.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, long maxBytes, out ReadOnlySequence<byte> message)
    {
        message = default;
        if (buffer.Length < PrefixBytes) return false;
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        buffer.Slice(0, PrefixBytes).CopyTo(prefix);
        if (prefix[0] == 1)
            throw new GrpcException(GrpcStatus.Internal, "The message is marked as compressed, but the call names no grpc-encoding; send it uncompressed.");
        if (prefix[0] != 0)
            throw new GrpcException(GrpcStatus.Internal, $"A message begins with byte {prefix[0]}, where 0 (not compressed) is expected; this is not gRPC's framing.");
        uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        if (length > maxBytes)
            throw new GrpcException(GrpcStatus.ResourceExhausted, $"The request message has {length} bytes, more than this server's limit of {maxBytes}; send less, or raise --http-max-body-bytes.");
        if (buffer.Length - PrefixBytes < length) return false;
        message = buffer.Slice(PrefixBytes, length);
        buffer = buffer.Slice(message.End);
        return true;
    }

    /// <summary>Appends the message and returns its bytes on the wire; the caller flushes.</summary>
    public static int Write(IBufferWriter<byte> writer, IMessage message)
    {
        int size = message.CalculateSize();
        bool inPlace = size <= InPlaceBytes;
        Span<byte> span = writer.GetSpan(inPlace ? PrefixBytes + size : PrefixBytes);
        span[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(span[1..], (uint)size);
        if (inPlace)
        {
            message.WriteTo(span.Slice(PrefixBytes, size));
            writer.Advance(PrefixBytes + size);
            return PrefixBytes + size;
        }

        writer.Advance(PrefixBytes);
        message.WriteTo(writer);
        return PrefixBytes + size;
    }
}
