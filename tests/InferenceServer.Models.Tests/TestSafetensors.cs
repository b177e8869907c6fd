using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Tests;

/// <summary>A tensor to write, in f32; <paramref name="Type"/> is what it is stored as.</summary>
internal sealed record TestTensor(int[] Shape, float[] Values, ElementType Type = ElementType.F32);

/// <summary>Writes safetensors files, right ones and wrong ones.</summary>
internal static class TestSafetensors
{
    public static void Write(string path, IReadOnlyDictionary<string, TestTensor> tensors)
    {
        JsonObject header = new() { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        using MemoryStream data = new();
        foreach ((string name, TestTensor tensor) in tensors)
        {
            long begin = data.Length;
            data.Write(Encode(tensor));
            header[name] = new JsonObject
            {
                ["dtype"] = tensor.Type.ToString(),
                ["shape"] = new JsonArray([.. tensor.Shape.Select(d => JsonValue.Create(d))]),
                ["data_offsets"] = new JsonArray(begin, data.Length),
            };
        }

        Write(path, header.ToJsonString(), data.ToArray());
    }

    public static void Write(string path, string header, byte[] data, long? claimedLength = null)
    {
        byte[] json = Encoding.UTF8.GetBytes(header), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, claimedLength ?? json.Length);
        File.WriteAllBytes(path, [.. length, .. json, .. data]);
    }

    public static byte[] Encode(TestTensor tensor) => tensor.Type switch
    {
        ElementType.F32 => MemoryMarshal.AsBytes(tensor.Values.AsSpan()).ToArray(),
        ElementType.F16 => MemoryMarshal.AsBytes<Half>([.. tensor.Values.Select(v => (Half)v)]).ToArray(),
        _ => MemoryMarshal.AsBytes<ushort>([.. tensor.Values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))]).ToArray(),
    };
}
