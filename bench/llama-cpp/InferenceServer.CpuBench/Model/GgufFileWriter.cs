using System.Text;

namespace InferenceServer.CpuBench.Model;

/// <summary>Writes a GGUF file, version 3: metadata, tensor table, then each tensor at a multiple of 32 bytes. Independent of the server's reader.</summary>
internal sealed class GgufFileWriter(Stream stream) : IDisposable
{
    public const int Alignment = 32;

    private const uint Magic = 0x46554747; // "GGUF"
    private const uint Version = 3;
    private const int TypeUInt32 = 4, TypeInt32 = 5, TypeFloat32 = 6, TypeBool = 7, TypeString = 8, TypeArray = 9;

    private readonly BinaryWriter _writer = new(stream, Encoding.UTF8, leaveOpen: true); // little-endian everywhere

    public void WriteHeader(int tensors, int entries)
    {
        _writer.Write(Magic);
        _writer.Write(Version);
        _writer.Write((ulong)tensors);
        _writer.Write((ulong)entries);
    }

    public void Entry(string key, uint value)
    {
        Key(key, TypeUInt32);
        _writer.Write(value);
    }

    public void Entry(string key, float value)
    {
        Key(key, TypeFloat32);
        _writer.Write(value);
    }

    public void Entry(string key, bool value)
    {
        Key(key, TypeBool);
        _writer.Write(value);
    }

    public void Entry(string key, string value)
    {
        Key(key, TypeString);
        Text(value);
    }

    public void Entry(string key, IReadOnlyList<string> values)
    {
        Array(key, TypeString, values.Count);
        foreach (string value in values) Text(value);
    }

    public void Entry(string key, IReadOnlyList<float> values)
    {
        Array(key, TypeFloat32, values.Count);
        foreach (float value in values) _writer.Write(value);
    }

    public void Entry(string key, IReadOnlyList<int> values)
    {
        Array(key, TypeInt32, values.Count);
        foreach (int value in values) _writer.Write(value);
    }

    /// <param name="offset">Of its data, from the first tensor's.</param>
    public void Tensor(string name, int rows, int columns, int type, long offset)
    {
        Text(name);
        _writer.Write(rows == 1 ? 1u : 2u);
        _writer.Write((ulong)columns); // the fastest dimension comes first
        if (rows > 1) _writer.Write((ulong)rows);
        _writer.Write(type);
        _writer.Write((ulong)offset);
    }

    /// <summary>Zeros up to the next multiple of <see cref="Alignment"/>.</summary>
    public void Align()
    {
        _writer.Flush();
        int rest = (int)(stream.Position % Alignment);
        if (rest > 0) stream.Write(new byte[Alignment - rest]);
    }

    public void Dispose() => _writer.Dispose();

    private void Key(string key, int type)
    {
        Text(key);
        _writer.Write(type);
    }

    private void Array(string key, int type, int count)
    {
        Key(key, TypeArray);
        _writer.Write(type);
        _writer.Write((ulong)count);
    }

    private void Text(string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        _writer.Write((ulong)bytes.Length);
        _writer.Write(bytes);
    }
}
