using System.Security.Cryptography;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Ops;

namespace InferenceServer.Cpu.Tests;

/// <summary>
/// The bytes that each layout and conversion gives, pinned: caches of repacked weights are keyed by <see cref="WeightFormat.LayoutVersion"/>. If one of these
/// fails because bytes were changed on purpose, raise that number and pin the new bytes here.
/// </summary>
public sealed unsafe class LayoutVersionTests
{
    private const int Columns = 512, Rows = 16;

    private static readonly Dictionary<string, string> Pinned = new()
    {
        ["F32 words"] = "7e46dd7e2066d628",
        ["F16 words"] = "2440ae7ebd6937fc",
        ["BF16 words"] = "2440ae7ebd6937fc",
        ["Q8 blocks"] = "1c1e6d1b80d4bde4",
        ["Q4 blocks"] = "97c4717064e4920a",
        ["Q4K blocks"] = "a2c051e44c7d1a66",
        ["Q5K blocks"] = "e5d582d159024d5c",
        ["Q6K blocks"] = "1126816bc4d98056",
        ["F16 columns"] = "9f48429a57ce8842",
        ["BF16 padded words"] = "2440ae7ebd6937fc",
        ["BF16 words in tiles"] = "2440ae7ebd6937fc",
        ["to BF16"] = "2f026357a633ebb8",
        ["to Q8"] = "920f6b5cba32bf46",
        ["to Q4"] = "39bd110ae69a1129",
    };

    [Fact]
    public void Packed_bytes_are_those_of_this_version()
    {
        Dictionary<string, byte[]> packed = [];
        foreach (InstructionSet set in Enum.GetValues<InstructionSet>().Where(KernelTable.IsSupported))
        {
            foreach (ElementType type in Enum.GetValues<ElementType>())
            {
                WeightFormat format = KernelTable.For(set)[type];
                string layout = $"{type} {format.Layout}";
                byte[] bytes = Packed(format);
                if (!packed.TryAdd(layout, bytes)) Assert.Equal(packed[layout], bytes); // on every instruction set
            }
        }

        AssertPinned(packed);
    }

    [Fact]
    public void Converted_bytes_are_those_of_this_version()
    {
        float[] values = new float[Columns];
        for (int i = 0; i < Columns; i++) values[i] = (i * 7919 % 1009 - 504) / 64f;
        Dictionary<string, byte[]> converted = [];
        foreach (ElementType type in (ElementType[])[ElementType.BF16, ElementType.Q8, ElementType.Q4])
        {
            byte[] stored = new byte[type.RowBytes(Columns)];
            fixed (float* from = values)
            fixed (byte* to = stored) Conversion.FromFloats(from, Columns, type, to);
            converted[$"to {type}"] = stored;
        }

        AssertPinned(converted);
    }

    /// <summary>Sixteen rows of arbitrary bytes, the last one padding.</summary>
    private static byte[] Packed(WeightFormat format)
    {
        int rowBytes = (int)format.Type.RowBytes(Columns);
        byte[] stored = new byte[Rows * rowBytes], group = new byte[format.GroupBytes(Columns)];
        for (int i = 0; i < stored.Length; i++) stored[i] = (byte)(i * 2654435761u >> 24);
        byte** rows = stackalloc byte*[Rows];
        fixed (byte* from = stored)
        fixed (byte* to = group)
        {
            for (int row = 0; row < Rows; row++) rows[row] = row == Rows - 1 ? null : from + row * rowBytes;
            format.Pack(rows, Columns, to);
        }

        return group;
    }

    private static void AssertPinned(Dictionary<string, byte[]> found)
    {
        Assert.Equal(1, WeightFormat.LayoutVersion); // the version that is pinned
        string[] others = [.. found.Select(f => $"[\"{f.Key}\"] = \"{Convert.ToHexStringLower(SHA256.HashData(f.Value))[..16]}\",").Where(line => !Pinned.Any(p => line == $"[\"{p.Key}\"] = \"{p.Value}\","))];
        Assert.True(others.Length == 0, string.Join('\n', others));
    }
}
