using System.Buffers.Binary;
using System.Text.Json;
using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files;

/// <summary>
/// Reads the header of a safetensors file: 8 bytes little-endian length, that much JSON, then the data.
/// Format and its rules (no overlap, no hole, no duplicate): https://github.com/huggingface/safetensors#format
/// Everything is checked against the file's real length before it is believed, so memory is bounded by the header's bytes on disk.
/// </summary>
internal static class SafetensorsHeader
{
    public const int LengthBytes = 8;

    /// <summary>The reference implementation's own limit.</summary>
    public const int MaxBytes = 100_000_000;

    /// <summary>Far above any model's; keeps a lying shape from growing a list.</summary>
    private const int MaxDimensions = 8;

    /// <param name="file">The whole file.</param>
    /// <param name="dataStart">Where the data begins, in bytes from the start of the file.</param>
    /// <exception cref="ModelLoadException">The header breaks a rule of the format.</exception>
    public static List<TensorEntry> Read(MappedFile file, out long dataStart)
    {
        if (file.Length < LengthBytes)
            throw Broken(file, $"has {file.Length} bytes, which is less than the {LengthBytes} of a safetensors length field");
        ulong claimed = BinaryPrimitives.ReadUInt64LittleEndian(file.Bytes(0, LengthBytes));
        if (claimed > MaxBytes)
            throw Broken(file, $"claims a header of {claimed} bytes; at most {MaxBytes} are read (is it a safetensors file?)");
        if ((long)claimed > file.Length - LengthBytes)
            throw Broken(file, $"claims a header of {claimed} bytes but has only {file.Length - LengthBytes} after the length field; it is truncated");
        dataStart = LengthBytes + (long)claimed;
        List<TensorEntry> entries = Parse(file, file.Bytes(LengthBytes, (int)claimed));
        CheckCoverage(file, entries, file.Length - dataStart);
        return entries;
    }

    private static List<TensorEntry> Parse(MappedFile file, ReadOnlySpan<byte> json)
    {
        List<TensorEntry> entries = [];
        HashSet<string> names = [];
        try
        {
            Utf8JsonReader reader = new(json);
            Expect(file, ref reader, JsonTokenType.StartObject, "the header");
            while (NextProperty(file, ref reader, "the header") is { } name)
            {
                if (!names.Add(name)) throw Broken(file, $"names tensor '{name}' twice");
                if (name == "__metadata__")
                {
                    Expect(file, ref reader, JsonTokenType.StartObject, name);
                    reader.Skip();
                }
                else
                {
                    entries.Add(ReadEntry(file, ref reader, name));
                }
            }

            if (reader.Read()) throw Broken(file, "has more JSON after its header object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // InvalidOperationException is how the reader reports a string that is not UTF-8.
            throw new ModelLoadException($"'{file.Path}' has a header that is not valid JSON ({e.Message}); download it again.", e);
        }

        return entries;
    }

    private static TensorEntry ReadEntry(MappedFile file, ref Utf8JsonReader reader, string name)
    {
        string? dtype = null;
        List<long>? shape = null, offsets = null;
        Expect(file, ref reader, JsonTokenType.StartObject, $"tensor '{name}'");
        while (NextProperty(file, ref reader, $"tensor '{name}'") is { } field)
        {
            bool first = field switch
            {
                "dtype" => dtype is null,
                "shape" => shape is null,
                "data_offsets" => offsets is null,
                _ => throw Broken(file, $"has the unknown field '{field}' at tensor '{name}'; expected dtype, shape and data_offsets"),
            };
            if (!first) throw Broken(file, $"gives '{field}' of tensor '{name}' twice");
            if (field == "shape") shape = ReadNumbers(file, ref reader, name, field, MaxDimensions);
            else if (field == "data_offsets") offsets = ReadNumbers(file, ref reader, name, field, 2);
            else dtype = ReadText(file, ref reader, name);
        }

        if (dtype is null || shape is null || offsets is not { Count: 2 })
            throw Broken(file, $"has an incomplete entry for tensor '{name}'; expected dtype, shape and two data_offsets");
        return Check(file, name, dtype, shape, offsets);
    }

    private static TensorEntry Check(MappedFile file, string name, string dtype, List<long> shape, List<long> offsets)
    {
        ElementType type = dtype switch
        {
            "F32" => ElementType.F32,
            "F16" => ElementType.F16,
            "BF16" => ElementType.BF16,
            _ => throw new ModelLoadException(
                $"'{file.Path}': tensor '{name}' is of type '{dtype}'; F32, F16 and BF16 are read. Use an unquantized revision of the model."),
        };
        long begin = offsets[0], end = offsets[1];
        if (end < begin) throw Broken(file, $"places tensor '{name}' at bytes {begin} to {end}, which end before they begin");
        long bytes = type.Bytes();
        try
        {
            foreach (long dimension in shape) bytes = checked(bytes * dimension);
        }
        catch (OverflowException e)
        {
            throw new ModelLoadException($"'{file.Path}': tensor '{name}' has the impossible shape ({string.Join(", ", shape)}).", e);
        }

        if (bytes != end - begin)
            throw Broken(file, $"gives tensor '{name}' {end - begin} bytes, but {dtype} of shape ({string.Join(", ", shape)}) needs {bytes}");
        if (shape.Count == 0) shape.Add(1); // a scalar is a vector of one
        if (shape[^1] > int.MaxValue / type.Bytes())
            throw Broken(file, $"gives tensor '{name}' rows of {shape[^1]} elements; at most {int.MaxValue / type.Bytes()} are read");
        return new TensorEntry(name, type, shape, begin, end);
    }

    /// <summary>Tensors lie one after another and fill the data exactly: no overlap, no hole, nothing cut off.</summary>
    private static void CheckCoverage(MappedFile file, List<TensorEntry> entries, long dataLength)
    {
        long position = 0;
        foreach (TensorEntry entry in entries.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            if (entry.End > dataLength)
                throw Broken(file, $"places tensor '{entry.Name}' at bytes {entry.Begin} to {entry.End} of its data, which has only {dataLength}; it is truncated");
            if (entry.Begin != position)
                throw Broken(file, $"places tensor '{entry.Name}' at byte {entry.Begin} of its data, expected {position}: tensors may neither overlap nor leave holes");
            position = entry.End;
        }

        if (position != dataLength)
            throw Broken(file, $"has {dataLength} bytes of data, but its header describes {position}");
    }

    private static string? NextProperty(MappedFile file, ref Utf8JsonReader reader, string where)
    {
        if (!reader.Read()) throw Broken(file, $"ends inside {where}");
        return reader.TokenType == JsonTokenType.EndObject ? null : reader.GetString()!;
    }

    private static void Expect(MappedFile file, ref Utf8JsonReader reader, JsonTokenType type, string where)
    {
        if (!reader.Read() || reader.TokenType != type) throw Broken(file, $"has no JSON object for {where}");
    }

    private static string ReadText(MappedFile file, ref Utf8JsonReader reader, string name)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.String) throw Broken(file, $"gives tensor '{name}' a dtype that is not text");
        return reader.GetString()!;
    }

    private static List<long> ReadNumbers(MappedFile file, ref Utf8JsonReader reader, string name, string field, int limit)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray) throw Broken(file, $"gives tensor '{name}' a {field} that is not a list");
        List<long> numbers = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (numbers.Count == limit) throw Broken(file, $"gives tensor '{name}' a {field} of more than {limit} numbers");
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                throw Broken(file, $"gives tensor '{name}' a {field} that is not a list of whole numbers from 0");
            numbers.Add(number);
        }

        return numbers;
    }

    private static ModelLoadException Broken(MappedFile file, string what) => new($"'{file.Path}' {what}. Download it again.");
}
