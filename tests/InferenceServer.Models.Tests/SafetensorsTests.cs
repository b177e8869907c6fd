using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Models.Files;

namespace InferenceServer.Models.Tests;

/// <summary>Right files read exactly; wrong ones are a sentence.</summary>
public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(ElementType.F32)]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Rows_are_what_was_written(ElementType type)
    {
        float[] values = [1, -2, 0.5f, 4, -0.25f, 8];
        TestSafetensors.Write(_folder["m.safetensors"], new Dictionary<string, TestTensor>
        {
            ["odd"] = new([1], [3], type), // shifts what follows off its natural alignment
            ["a"] = new([3, 2], values, type),
        });
        using SafetensorsFile file = SafetensorsFile.Open(_folder["m.safetensors"]);
        HostTensor tensor = file.Tensors["a"];
        Assert.Equal(type, tensor.Type);
        Assert.Equal([3, 2], tensor.Shape);
        Assert.Equal(3, tensor.Rows);
        Assert.Equal(2 * type.Bytes(), tensor.Row(2).Length);
        Assert.Equal(values, PlainTensors.Widen(tensor));
        Assert.Throws<ArgumentOutOfRangeException>(() => { tensor.Row(3); });
    }

    [Fact]
    public void A_scalar_is_a_vector_of_one()
    {
        TestSafetensors.Write(_folder["m.safetensors"], """{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", [0, 0, 128, 63]);
        using SafetensorsFile file = SafetensorsFile.Open(_folder["m.safetensors"]);
        Assert.Equal(1, MemoryMarshal.Cast<byte, float>(file.Tensors["s"].Row(0))[0]);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "truncated")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "describes 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "needs 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", 8, "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "whole numbers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "end before they begin")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", 8, "more than 2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "incomplete")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}}""", 8, "unknown field 'extra'")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "'dtype' of tensor 'a' twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "'a' twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}""", 20, "holes")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}""", 2, "'F8_E4M3'")]
    [InlineData("""{"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}""", 8, "not text")]
    [InlineData("""{"a":7}""", 8, "no JSON object")]
    [InlineData("""[]""", 8, "no JSON object")]
    [InlineData("""{"a":{"dtype":"F32",""", 8, "not valid JSON")]
    [InlineData("""{} {}""", 0, "not valid JSON")]
    public void A_wrong_header_is_a_sentence(string header, int dataBytes, string expected)
    {
        string path = _folder["bad.safetensors"];
        TestSafetensors.Write(path, header, new byte[dataBytes]);
        ModelLoadException error = Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(path));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(long.MaxValue, "at most 100000000")]
    [InlineData(-1, "at most 100000000")]
    [InlineData(99_999_999, "truncated")]
    public void A_lying_length_allocates_nothing(long claimed, string expected)
    {
        string path = _folder["lie.safetensors"];
        TestSafetensors.Write(path, "{}", [], claimed);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ModelLoadException error = Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "is empty")]
    [InlineData(5, "has 5 bytes")]
    public void A_stump_is_a_sentence(int length, string expected)
    {
        File.WriteAllBytes(_folder["stump.safetensors"], new byte[length]);
        Assert.Contains(expected, Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(_folder["stump.safetensors"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_beyond_two_gigabytes_are_reached()
    {
        // A sparse file: 600 M elements in rows of one thousand, of which only the last is written.
        const long Rows = 600_000, Columns = 1000, Bytes = Rows * Columns * 4;
        string path = _folder["big.safetensors"];
        TestSafetensors.Write(path, $$$"""{"big":{"dtype":"F32","shape":[{{{Rows}}},{{{Columns}}}],"data_offsets":[0,{{{Bytes}}}]}}""", []);
        using (FileStream stream = new(path, FileMode.Open, FileAccess.Write))
        {
            stream.SetLength(stream.Length + Bytes);
            stream.Seek(-4, SeekOrigin.End);
            stream.Write([0, 0, 128, 63]);
        }

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(1, MemoryMarshal.Cast<byte, float>(file.Tensors["big"].Row(Rows - 1))[^1]);
        Assert.Equal(0, MemoryMarshal.Cast<byte, float>(file.Tensors["big"].Row(Rows - 2))[^1]);
    }

    [Fact]
    public void A_closed_file_is_not_read() // instead of reading unmapped memory
    {
        TestSafetensors.Write(_folder["m.safetensors"], new Dictionary<string, TestTensor> { ["a"] = new([1], [3]) });
        SafetensorsFile file = SafetensorsFile.Open(_folder["m.safetensors"]);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { file.Tensors["a"].Row(0); });
    }
}
