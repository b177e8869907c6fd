using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>
/// The header of a GGUF file, version 2 or 3, little-endian: keys and values, then a line for each tensor, then the data.
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
/// Memory is bounded by what lies in the file: a count or length is checked against the bytes that are left before anything is done with it.
/// </summary>
internal sealed class GgufHeader
{
    private const uint Magic = 0x46554747; // "GGUF"
    private const long MaxKeys = 1 << 16; // real files have about 50
    private const long MaxTensors = 1 << 17; // Llama 3.1 405B has about 1,200
    private const int MaxNameBytes = 1024; // real ones have at most 64
    private const int MaxDimensions = 4; // ggml's
    private const int MaxArrayDepth = 4;
    private const int DefaultAlignment = 32; // the format's

    private readonly MappedFile _file;
    private readonly GgufCursor _cursor;
    private readonly Dictionary<string, GgufValue> _values = [];
    private readonly List<HostTensor> _tensors = [];

    private GgufHeader(MappedFile file)
    {
        _file = file;
        _cursor = new GgufCursor(file);
        Metadata = new GgufMetadata(file, _values);
    }

    public GgufMetadata Metadata { get; }

    public IReadOnlyList<HostTensor> Tensors => _tensors;

    /// <exception cref="ModelLoadException">Not a GGUF file that can be read, or it breaks a rule of the format.</exception>
    public static GgufHeader Read(MappedFile file)
    {
        GgufHeader header = new(file);
        header.Read();
        return header;
    }

    private void Read()
    {
        CheckVersion();
        ulong tensors = _cursor.UInt64("the number of tensors"), keys = _cursor.UInt64("the number of keys");
        if (tensors > MaxTensors) throw _cursor.Broken($"claims {tensors} tensors; at most {MaxTensors} are read");
        if (keys > MaxKeys) throw _cursor.Broken($"claims {keys} keys; at most {MaxKeys} are read");
        for (ulong i = 0; i < keys; i++) ReadKey(i);
        Dictionary<string, GgufTensorEntry> entries = [];
        for (ulong i = 0; i < tensors; i++)
        {
            GgufTensorEntry entry = ReadEntry(i);
            if (!entries.TryAdd(entry.Name, entry)) throw _cursor.Broken($"names tensor '{entry.Name}' twice");
        }

        if (entries.Count > 0) Place(entries.Values);
    }

    private void CheckVersion()
    {
        uint magic = _cursor.UInt32("the first four bytes");
        if (magic != Magic) throw _cursor.Broken($"does not begin with \"GGUF\" but with the bytes {magic:x8}, so it is not a GGUF file");
        uint version = _cursor.UInt32("the version");
        if (version is 2 or 3) return;
        throw new ModelLoadException(version switch
        {
            1 => $"'{_file.Path}' is of GGUF version 1 of August 2023; versions 2 and 3 are read. Get a newer file of the model.",
            _ when (version & 0xffff) == 0 && version != 0 => $"'{_file.Path}' is a big-endian GGUF file; only little-endian ones are read. Get the usual file of the model.",
            _ => $"'{_file.Path}' is of GGUF version {version}; versions 2 and 3 are read. Get a file of one of these.",
        });
    }

    private void ReadKey(ulong index)
    {
        string key = _cursor.Text($"the name of key {index}", MaxNameBytes);
        if (_values.ContainsKey(key)) throw _cursor.Broken($"gives the key '{key}' twice");
        GgufValueType type = ReadType(key);
        bool isArray = type == GgufValueType.Array;
        ulong count = 1;
        if (isArray)
        {
            type = ReadType(key);
            count = _cursor.UInt64($"the length of '{key}'");
        }

        long offset = _cursor.Position;
        SkipItems(key, type, count, isArray ? 1 : 0);
        _values.Add(key, new GgufValue(type, isArray, (long)count, offset));
    }

    /// <summary>Passes values, which proves that they lie in the file.</summary>
    private void SkipItems(string key, GgufValueType type, ulong count, int depth)
    {
        string what = $"key '{key}'";
        if (type.Bytes() > 0)
        {
            _cursor.Skip(count, type.Bytes(), what);
            return;
        }

        if (depth > MaxArrayDepth) throw _cursor.Broken($"nests lists more than {MaxArrayDepth} deep in {what}");
        for (ulong i = 0; i < count; i++) // a wrong count ends at the end of the file: each item takes at least 8 bytes
        {
            if (type == GgufValueType.Text) _cursor.SkipText(what);
            else SkipItems(key, ReadType(key), _cursor.UInt64(what), depth + 1);
        }
    }

    private GgufValueType ReadType(string key)
    {
        uint type = _cursor.UInt32($"the type of '{key}'");
        return type <= (uint)GgufValueType.Float64 ? (GgufValueType)type : throw _cursor.Broken($"gives the key '{key}' the type {type}; expected 0 to 12");
    }

    private GgufTensorEntry ReadEntry(ulong index)
    {
        string name = _cursor.Text($"the name of tensor {index}", MaxNameBytes), what = $"the entry of tensor '{name}'";
        uint dimensions = _cursor.UInt32(what);
        if (dimensions > MaxDimensions) throw _cursor.Broken($"gives tensor '{name}' {dimensions} dimensions; at most {MaxDimensions} are read");
        long[] shape = new long[Math.Max(1, dimensions)];
        shape[0] = 1; // a scalar is a vector of one
        for (uint i = 0; i < dimensions; i++)
        {
            ulong dimension = _cursor.UInt64(what);
            if (dimension is 0 or > long.MaxValue) throw _cursor.Broken($"gives tensor '{name}' a dimension of {dimension}");
            shape[dimensions - 1 - i] = (long)dimension; // the file begins with the dimension that changes fastest
        }

        ElementType type = GgufTensorType.ToElementType(_cursor.UInt32(what), _file.Path, name);
        return new GgufTensorEntry(name, type, shape, BytesOf(name, type, shape), _cursor.UInt64(what));
    }

    private long BytesOf(string name, ElementType type, long[] shape)
    {
        if (shape[^1] % type.BlockColumns() != 0)
            throw _cursor.Broken($"gives tensor '{name}' rows of {shape[^1]} numbers, which is not a multiple of {GgufTensorType.Name(type)}'s blocks of {type.BlockColumns()}");
        try
        {
            long rowBytes = type.RowBytes(shape[^1]);
            if (rowBytes > int.MaxValue) throw _cursor.Broken($"gives tensor '{name}' rows of {rowBytes} bytes; at most {int.MaxValue} are read");
            return shape.Take(shape.Length - 1).Aggregate(rowBytes, (bytes, dimension) => checked(bytes * dimension));
        }
        catch (OverflowException e)
        {
            throw new ModelLoadException($"'{_file.Path}': tensor '{name}' has the impossible shape ({string.Join(", ", shape)}).", e);
        }
    }

    /// <summary>Tensors lie inside the data, at multiples of the alignment, and do not overlap.</summary>
    private void Place(IEnumerable<GgufTensorEntry> entries)
    {
        long alignment = Metadata.LongOrNull("general.alignment", 8, 1 << 20) ?? DefaultAlignment;
        if (!long.IsPow2(alignment)) throw Metadata.Wrong("general.alignment", "a power of two");
        long dataStart = (_cursor.Position + alignment - 1) / alignment * alignment;
        ulong dataBytes = (ulong)Math.Max(0, _file.Length - dataStart);
        long end = 0;
        foreach (GgufTensorEntry entry in entries.OrderBy(e => e.Offset))
        {
            if (entry.Offset > dataBytes || (ulong)entry.Bytes > dataBytes - entry.Offset)
                throw _cursor.Broken($"places the {entry.Bytes} bytes of tensor '{entry.Name}' at {entry.Offset} of its data, which has only {dataBytes}; it is truncated, or the header is wrong");
            long begin = (long)entry.Offset;
            if (begin % alignment != 0) throw _cursor.Broken($"places tensor '{entry.Name}' at byte {begin} of its data, which is not a multiple of the alignment {alignment}");
            if (begin < end) throw _cursor.Broken($"places tensor '{entry.Name}' at byte {begin} of its data, inside the tensor before it, which ends at {end}");
            end = begin + entry.Bytes;
            _tensors.Add(new MappedTensor(_file, entry.Name, entry.Type, entry.Shape, dataStart + begin));
        }
    }

    /// <param name="Name">As in the file.</param>
    /// <param name="Type">How its numbers are stored.</param>
    /// <param name="Shape">Row-major.</param>
    /// <param name="Bytes">Of all rows.</param>
    /// <param name="Offset">Bytes from the start of the data, as claimed.</param>
    private sealed record GgufTensorEntry(string Name, ElementType Type, IReadOnlyList<long> Shape, long Bytes, ulong Offset);
}
