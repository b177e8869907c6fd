using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>
/// Writes the server-sent events of one response into a buffer that its owner sends. What never changes within a response is formatted
/// once; a token costs a few copies and one escaped string. One writer a response; not thread-safe.
/// </summary>
internal abstract class ChunkWriter : IDisposable
{
    private readonly byte[] _prefix;
    private readonly StreamUsage _usage;
    private readonly GenerationGroup _group;

    protected ChunkWriter(ResponseHead head, GenerationGroup group, StreamUsage usage)
    {
        _group = group;
        _usage = usage;
        Json = new Utf8JsonWriter(Buffer, ErrorWriter.Json);
        _prefix = Prefix(head);
    }

    /// <summary>What is not sent yet.</summary>
    public ArrayBufferWriter<byte> Buffer { get; } = new(1024);

    /// <summary>For values inside a chunk; reset it before each.</summary>
    protected Utf8JsonWriter Json { get; }

    /// <summary>What comes before the first token: role chunks, an echoed prompt.</summary>
    public abstract void Begin();

    /// <param name="prompt">Index of the generation in the group.</param>
    /// <param name="text">Any event except Finished.</param>
    public abstract void Write(int prompt, in TextEvent text);

    /// <summary>The usage chunk, where asked for, and [DONE].</summary>
    public void End()
    {
        if (_usage != StreamUsage.None)
        {
            Raw(_prefix.AsSpan(0, _prefix.Length - "{\"index\":"u8.Length));
            Raw("],\"usage\":"u8);
            WriteUsage();
            Raw("}\n\n"u8);
        }

        Raw("data: [DONE]\n\n"u8);
    }

    /// <summary>A failure after the 200: no [DONE] follows it.</summary>
    public void Error(RequestRejected rejection)
    {
        Raw("data: "u8);
        Json.Reset();
        ErrorWriter.WriteBody(Json, rejection);
        Json.Flush();
        Raw("\n\n"u8);
    }

    /// <summary>A comment, which clients skip and proxies count as life.</summary>
    public void Ping() => Raw(": ping\n\n"u8);

    public void Dispose() => Json.Dispose();

    /// <summary>Everything up to and including the choice's index.</summary>
    protected void Open(int index)
    {
        Raw(_prefix);
        Span<byte> digits = Buffer.GetSpan(11);
        Utf8Formatter.TryFormat(index, digits, out int length);
        Buffer.Advance(length);
    }

    /// <summary>The end of the choice and of the chunk.</summary>
    protected void Close()
    {
        Raw("}]"u8);
        if (_usage == StreamUsage.Final) Raw(",\"usage\":null"u8);
        if (_usage == StreamUsage.Continuous)
        {
            Raw(",\"usage\":"u8);
            WriteUsage();
        }

        Raw("}\n\n"u8);
    }

    protected void Raw(ReadOnlySpan<byte> bytes) => Buffer.Write(bytes);

    protected void Text(string text)
    {
        Json.Reset();
        Json.WriteStringValue(text);
        Json.Flush();
    }

    /// <summary>The finish_reason, and stop_reason where there is one.</summary>
    protected void Finish(in TextEvent text)
    {
        Raw(",\"finish_reason\":"u8);
        Text(FinishReasons.Text(text.FinishReason));
        if (text.StopString is null && text.StopToken is null) return;
        Raw(",\"stop_reason\":"u8);
        Json.Reset();
        if (text.StopString is { } stop) Json.WriteStringValue(stop);
        else Json.WriteNumberValue(text.StopToken!.Value);
        Json.Flush();
    }

    private void WriteUsage()
    {
        Json.Reset();
        _group.Usage.WriteTo(Json);
        Json.Flush();
    }

    private static byte[] Prefix(ResponseHead head)
    {
        ArrayBufferWriter<byte> bytes = new(256);
        bytes.Write("data: "u8);
        using Utf8JsonWriter json = new(bytes, ErrorWriter.Json);
        json.WriteStartObject();
        head.WriteTo(json);
        json.WriteStartArray("choices"u8);
        json.WriteStartObject();
        json.WritePropertyName("index"u8);
        json.Flush();
        return bytes.WrittenSpan.ToArray();
    }
}
