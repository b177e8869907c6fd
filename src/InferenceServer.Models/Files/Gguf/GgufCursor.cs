using System.Buffers.Binary;
using System.Text;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>Reads a GGUF header front to back. Every length is held against what is left of the file before it is used.</summary>
internal sealed class GgufCursor(MappedFile file, long position = 0)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Bytes from the start of the file.</summary>
    public long Position { get; private set; } = position;

    private long BytesLeft => file.Length - Position;

    public byte UInt8(string what) => Take(1, what)[0];

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A text: its length, then UTF-8.</summary>
    /// <param name="what">Names it in errors.</param>
    /// <param name="maxBytes">More is refused.</param>
    public string Text(string what, int maxBytes)
    {
        long bytes = Length(what);
        if (bytes > maxBytes) throw Broken($"gives {what} a length of {bytes} bytes; at most {maxBytes} are read");
        try
        {
            return StrictUtf8.GetString(Take((int)bytes, what));
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelLoadException($"'{file.Path}': {what} is not valid UTF-8. Download the file again.", e);
        }
    }

    public void SkipText(string what)
    {
        long bytes = Length(what); // moves too
        Position += bytes;
    }

    /// <summary>Passes <paramref name="count"/> items of <paramref name="itemBytes"/> each.</summary>
    public void Skip(ulong count, int itemBytes, string what)
    {
        if (count > (ulong)(BytesLeft / itemBytes))
            throw Broken($"claims {count} items of {itemBytes} bytes for {what}, but has only {BytesLeft} bytes after them; it is truncated, or the count is wrong");
        Position += (long)count * itemBytes;
    }

    public ModelLoadException Broken(string what) => new($"'{file.Path}' {what}. Download it again.");

    private long Length(string what)
    {
        ulong bytes = UInt64(what);
        if (bytes > (ulong)BytesLeft) throw Broken($"gives {what} a length of {bytes} bytes, but has only {BytesLeft} after it; it is truncated, or the length is wrong");
        return (long)bytes;
    }

    private ReadOnlySpan<byte> Take(int bytes, string what)
    {
        if (bytes > BytesLeft) throw Broken($"ends inside {what}; it is truncated");
        ReadOnlySpan<byte> taken = file.Bytes(Position, bytes);
        Position += bytes;
        return taken;
    }
}
