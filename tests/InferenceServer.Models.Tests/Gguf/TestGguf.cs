using System.Buffers.Binary;
using System.Text;

namespace InferenceServer.Models.Tests.Gguf;

/// <summary>Writes GGUF files, right ones and wrong ones: keys by the type of their value, tensors as bytes.</summary>
internal sealed class TestGguf
{
    public const uint F32 = 0, F16 = 1, Q4_0 = 2, Q8_0 = 8, Q4_K = 12, Q5_K = 13, Q6_K = 14, BF16 = 30;

    public uint Version { get; set; } = 3;

    public int Alignment { get; set; } = 32;

    /// <summary>Null: as many as there are.</summary>
    public ulong? ClaimedKeys { get; set; }

    /// <summary>Null: as many as there are.</summary>
    public ulong? ClaimedTensors { get; set; }

    public List<(string Key, object Value)> Keys { get; } = [];

    public List<TestGgufTensor> Tensors { get; } = [];

    public TestGguf Set(string key, object value)
    {
        Keys.RemoveAll(k => k.Key == key);
        Keys.Add((key, value));
        return this;
    }

    public TestGguf Remove(string key)
    {
        Keys.RemoveAll(k => k.Key == key);
        return this;
    }

    public TestGguf Add(TestGgufTensor tensor)
    {
        Tensors.Add(tensor);
        return this;
    }

    public void Write(string path) => File.WriteAllBytes(path, ToBytes());

    public byte[] ToBytes()
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write(ClaimedTensors ?? (ulong)Tensors.Count);
        writer.Write(ClaimedKeys ?? (ulong)Keys.Count);
        foreach ((string key, object value) in Keys)
        {
            Text(writer, key);
            writer.Write(TypeOf(value));
            Value(writer, value);
        }

        long offset = 0;
        foreach (TestGgufTensor tensor in Tensors)
        {
            Text(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Length);
            foreach (long dimension in tensor.Shape.Reverse()) writer.Write(dimension);
            writer.Write(tensor.Type);
            writer.Write(tensor.ClaimedOffset ?? offset);
            offset = Aligned(offset + tensor.Data.Length);
        }

        foreach (TestGgufTensor tensor in Tensors)
        {
            writer.Write(new byte[Aligned(stream.Length) - stream.Length]);
            writer.Write(tensor.Data);
        }

        writer.Flush();
        return stream.ToArray();
    }

    private long Aligned(long position) => (position + Alignment - 1) / Alignment * Alignment;

    private static void Text(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static uint TypeOf(object value) => value switch
    {
        byte => 0,
        sbyte => 1,
        ushort => 2,
        short => 3,
        uint => 4,
        int => 5,
        float => 6,
        bool => 7,
        string => 8,
        Array => 9,
        ulong => 10,
        long => 11,
        double => 12,
        _ => throw new ArgumentException($"GGUF has no {value.GetType()}"),
    };

    private static void Value(BinaryWriter writer, object value)
    {
        Span<byte> number = stackalloc byte[8];
        switch (value)
        {
            case string text: Text(writer, text); break;
            case Array array:
                writer.Write(array.Length == 0 ? 4u : TypeOf(array.GetValue(0)!));
                writer.Write((ulong)array.Length);
                foreach (object item in array) Value(writer, item);
                break;
            case byte v: writer.Write(v); break;
            case sbyte v: writer.Write(v); break;
            case bool v: writer.Write(v); break;
            case ushort v: writer.Write(v); break;
            case short v: writer.Write(v); break;
            case uint v: writer.Write(v); break;
            case int v: writer.Write(v); break;
            case ulong v: writer.Write(v); break;
            case long v: writer.Write(v); break;
            case float v: writer.Write(v); break;
            case double v:
                BinaryPrimitives.WriteDoubleLittleEndian(number, v);
                writer.Write(number);
                break;
        }
    }
}

/// <param name="Name">As it shall stand in the file.</param>
/// <param name="Shape">Row-major.</param>
/// <param name="Type">ggml's number.</param>
/// <param name="Data">All of it.</param>
/// <param name="ClaimedOffset">Null: where it is.</param>
internal sealed record TestGgufTensor(string Name, long[] Shape, uint Type, byte[] Data, long? ClaimedOffset = null);
