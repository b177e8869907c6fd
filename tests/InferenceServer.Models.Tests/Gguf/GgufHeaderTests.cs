using System.Buffers.Binary;
using InferenceServer.Core.Compute;
using InferenceServer.Models.Files.Gguf;

namespace InferenceServer.Models.Tests.Gguf;

/// <summary>The reader of GGUF headers: what is right is read, what is wrong is a sentence, and nothing is allocated on a header's word.</summary>
public sealed class GgufHeaderTests : IDisposable
{
    private const int MaxAllocated = 1 << 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Numbers_of_every_type_are_read_as_whole_numbers_and_as_numbers()
    {
        TestGguf gguf = new();
        object[] values = [(byte)7, (sbyte)7, (ushort)7, (short)7, 7u, 7, 7ul, 7L];
        for (int i = 0; i < values.Length; i++) gguf.Set($"whole.{i}", values[i]);
        gguf.Set("f32", 2.5f).Set("f64", -2.5).Set("negative", (sbyte)-3).Set("yes", true).Set("no", false).Set("text", "naïve");
        gguf.Set("texts", new[] { "a", "", "ü" }).Set("floats", new[] { 1.5f, -1f }).Set("ints", new[] { 3, -4 }).Set("none", Array.Empty<int>());
        using GgufFile file = Open(gguf);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(7, file.Metadata.Int($"whole.{i}", 0, 10));
            Assert.Equal(7, file.Metadata.Number($"whole.{i}", 0, 10));
        }

        Assert.Equal(2.5, file.Metadata.Number("f32", 0, 10));
        Assert.Equal(-2.5, file.Metadata.Number("f64", -10, 10));
        Assert.Equal(-3, file.Metadata.Int("negative", -10, 10));
        Assert.True(file.Metadata.BoolOrNull("yes"));
        Assert.False(file.Metadata.BoolOrNull("no"));
        Assert.Equal("naïve", file.Metadata.Text("text"));
        Assert.Equal(["a", "", "ü"], file.Metadata.TextsOrNull("texts", 3)!);
        Assert.Equal([1.5f, -1f], file.Metadata.FloatsOrNull("floats", 2)!);
        Assert.Equal([3, -4], file.Metadata.IntsOrNull("ints", 2)!);
        Assert.Null(file.Metadata.TextOrNull("absent"));
    }

    [Fact]
    public void A_value_of_another_type_or_range_is_named_with_what_it_is()
    {
        using GgufFile file = Open(new TestGguf().Set("a", "word").Set("b", 70_000u).Set("c", new[] { 1, 2 }).Set("d", true).Set("e", 1.5f).Set("f", ulong.MaxValue).Set("g", float.NaN));
        AssertSentence(() => file.Metadata.Int("a", 0, 9), "key 'a' is \"word\"; expected a whole number from 0 to 9");
        AssertSentence(() => file.Metadata.Int("b", 0, 9), "key 'b' is 70000");
        AssertSentence(() => file.Metadata.Int("c", 0, 9), "key 'c' is a list of 2 items of type Int32; expected one value");
        AssertSentence(() => file.Metadata.TextOrNull("d"), "key 'd' is true; expected a text");
        AssertSentence(() => file.Metadata.Int("e", 0, 9), "key 'e' is 1.5");
        AssertSentence(() => file.Metadata.LongOrNull("f", 0, long.MaxValue), "key 'f' is 18446744073709551615");
        AssertSentence(() => file.Metadata.Number("g", 0, 9), "key 'g' is NaN");
        AssertSentence(() => file.Metadata.IntsOrNull("c", 1), "expected a list of at most 1 32-bit whole numbers");
        AssertSentence(() => file.Metadata.FloatsOrNull("c", 5), "expected a list of at most 5 32-bit floats");
        AssertSentence(() => file.Metadata.Text("z"), "lacks the key 'z'; expected a text");
    }

    [Theory]
    [InlineData(0u, ElementType.F32, 256)]
    [InlineData(1u, ElementType.F16, 256)]
    [InlineData(30u, ElementType.BF16, 256)]
    [InlineData(2u, ElementType.Q4, 256)]
    [InlineData(8u, ElementType.Q8, 256)]
    [InlineData(12u, ElementType.Q4K, 256)]
    [InlineData(13u, ElementType.Q5K, 256)]
    [InlineData(14u, ElementType.Q6K, 512)]
    public void Rows_of_every_type_are_the_bytes_of_the_file(uint code, ElementType type, int columns)
    {
        byte[] data = new byte[3 * type.RowBytes(columns)];
        new Random(1).NextBytes(data);
        using GgufFile file = Open(new TestGguf()
            .Add(new TestGgufTensor("before", [5], TestGguf.F32, new byte[20])).Add(new TestGgufTensor("matrix", [3, columns], code, data)));
        HostTensor tensor = file.Tensors.Single(t => t.Name == "matrix");
        Assert.Equal((type, 3, columns, data.Length), (tensor.Type, (int)tensor.Rows, tensor.Columns, (int)tensor.Bytes));
        for (int row = 0; row < 3; row++)
            Assert.Equal(data.AsSpan(row * data.Length / 3, data.Length / 3), tensor.Row(row));
    }

    [Fact]
    public void Dimensions_are_turned_around_and_a_scalar_is_a_vector_of_one()
    {
        using GgufFile file = Open(new TestGguf()
            .Add(new TestGgufTensor("scalar", [], TestGguf.F32, new byte[4])).Add(new TestGgufTensor("four", [2, 3, 4, 5], TestGguf.F16, new byte[240])));
        Assert.Equal([1L], file.Tensors.Single(t => t.Name == "scalar").Shape);
        Assert.Equal([2L, 3, 4, 5], file.Tensors.Single(t => t.Name == "four").Shape);
    }

    [Fact]
    public void Lists_in_lists_are_passed()
    {
        byte[] bytes = new TestGguf().Set("nested", new[] { 1ul }).Set("after", 9u).ToBytes();
        int item = bytes.AsSpan().IndexOf("nested"u8) + 6 + 4; // the items' type, then how many: one list of type 0 with no items takes 12 bytes
        byte[] nested = [.. bytes[..item], 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, .. new byte[12], .. bytes[(item + 20)..]];
        File.WriteAllBytes(_folder["nested.gguf"], nested);
        using GgufFile file = GgufFile.Open(_folder["nested.gguf"]);
        Assert.Equal(9, file.Metadata.Int("after", 0, 9));
    }

    [Theory]
    [InlineData(1u, "GGUF version 1 of August 2023")]
    [InlineData(0x0300_0000u, "a big-endian GGUF file")]
    [InlineData(4u, "GGUF version 4; versions 2 and 3 are read")]
    [InlineData(0u, "GGUF version 0")]
    public void Other_versions_are_refused(uint version, string part) => AssertRefused(new TestGguf { Version = version }, part);

    [Theory]
    [InlineData(1ul << 60, null, "claims 1152921504606846976 keys; at most 65536")]
    [InlineData(ulong.MaxValue, null, "claims 18446744073709551615 keys")]
    [InlineData(60_000ul, null, "ends inside the name of key 1")]
    [InlineData(null, 1ul << 60, "claims 1152921504606846976 tensors; at most 131072")]
    [InlineData(null, 100_000ul, "ends inside the name of tensor 0")]
    public void Lying_counts_are_refused_before_anything_is_allocated(ulong? keys, ulong? tensors, string part) =>
        AssertRefused(new TestGguf { ClaimedKeys = keys, ClaimedTensors = tensors }.Set("a", 1u), part);

    [Theory]
    [InlineData("text", 0, 1ul << 63, "gives key 'text' a length of 9223372036854775808 bytes")]
    [InlineData("text", 0, ulong.MaxValue, "a length of 18446744073709551615 bytes")]
    [InlineData("text", 0, 1000ul, "it is truncated, or the length is wrong")]
    [InlineData("numbers", 4, 1ul << 62, "claims 4611686018427387904 items of 4 bytes for key 'numbers'")]
    [InlineData("numbers", 4, 1000ul, "claims 1000 items")]
    [InlineData("texts", 4, 1ul << 60, "key 'texts'")]
    public void Lying_lengths_are_refused_before_anything_is_allocated(string key, int skip, ulong length, string part)
    {
        byte[] bytes = new TestGguf().Set("text", "hello").Set("numbers", new[] { 1, 2, 3 }).Set("texts", new[] { "a", "b" }).ToBytes();
        int at = bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(key)) + key.Length + 4 + skip;
        if (key == "text") at = bytes.AsSpan().IndexOf("hello"u8) - 8;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), length);
        AssertRefused(bytes, part);
    }

    [Theory]
    [InlineData(new[] { 1L << 62, 1L << 62 }, TestGguf.F32, "impossible shape|rows of")]
    [InlineData(new[] { 1L << 40, 1L << 25 }, TestGguf.F32, "impossible shape")]
    [InlineData(new[] { 2L, 1L << 40 }, TestGguf.Q8_0, "rows of 1168231104512 bytes")]
    [InlineData(new[] { 0L, 4L }, TestGguf.F32, "a dimension of 0")]
    [InlineData(new[] { -4L }, TestGguf.F32, "a dimension of 18446744073709551612")]
    [InlineData(new[] { 1L, 1L, 1L, 1L, 4L }, TestGguf.F32, "5 dimensions; at most 4")]
    [InlineData(new[] { 2L, 48L }, TestGguf.Q4_0, "rows of 48 numbers, which is not a multiple of Q4_0's blocks of 32")]
    [InlineData(new[] { 2L, 128L }, TestGguf.Q6_K, "not a multiple of Q6_K's blocks of 256")]
    [InlineData(new[] { 1000L, 4L }, TestGguf.F32, "which has only 64")]
    public void Shapes_that_cannot_be_are_refused(long[] shape, uint type, string parts) =>
        AssertRefused(new TestGguf().Add(new TestGgufTensor("w", shape, type, new byte[64])), parts);

    [Theory]
    [InlineData(3u, "of type Q4_1; F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K and Q6_K are read")]
    [InlineData(11u, "of type Q3_K")]
    [InlineData(39u, "of type MXFP4")]
    [InlineData(4u, "of type number 4, which is not known")]
    [InlineData(uint.MaxValue, "of type number 4294967295")]
    public void Other_types_are_named(uint type, string part) => AssertRefused(new TestGguf().Add(new TestGgufTensor("w", [64], type, new byte[256])), part);

    [Theory]
    [InlineData(0L, "inside the tensor before it, which ends at 64")]
    [InlineData(32L, "inside the tensor before it")]
    [InlineData(40L, "not a multiple of the alignment 32")]
    [InlineData(96L, "has only 128")]
    [InlineData(1L << 62, "has only 128")]
    [InlineData(-32L, "has only 128")]
    public void Places_that_cannot_be_are_refused(long offset, string part) =>
        AssertRefused(new TestGguf().Add(new TestGgufTensor("a", [16], TestGguf.F32, new byte[64])).Add(new TestGgufTensor("b", [16], TestGguf.F32, new byte[64], offset)), part);

    [Theory]
    [InlineData(0u)]
    [InlineData(4u)]
    [InlineData(24u)]
    [InlineData(1u << 31)]
    public void Alignments_that_cannot_be_are_refused(uint alignment) =>
        AssertRefused(new TestGguf().Set("general.alignment", alignment).Add(new TestGgufTensor("a", [1], TestGguf.F32, new byte[4])), "'general.alignment'");

    [Fact]
    public void Names_and_keys_come_once()
    {
        TestGguf keys = new();
        keys.Keys.AddRange([("k", 1u), ("k", 2u)]);
        AssertRefused(keys, "gives the key 'k' twice");
        TestGgufTensor tensor = new("t", [1], TestGguf.F32, new byte[4]);
        AssertRefused(new TestGguf().Add(tensor).Add(tensor), "names tensor 't' twice");
    }

    [Fact]
    public void What_is_no_GGUF_file_is_refused()
    {
        AssertRefused("GGML\u0003\0\0\0 and more"u8.ToArray(), "does not begin with \"GGUF\"");
        AssertRefused([(byte)'G'], "ends inside the first four bytes");
        AssertRefused([.. "GGUF"u8, 3, 0, 0, 0], "ends inside the number of tensors");
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        byte[] whole = new TestGguf()
            .Set("general.architecture", "llama").Set("texts", new[] { "a", "bc" }).Set("floats", new[] { 1f, 2f }).Set("flag", true)
            .Add(new TestGgufTensor("a", [4, 4], TestGguf.F32, new byte[64])).Add(new TestGgufTensor("b", [2], TestGguf.F32, new byte[8])).ToBytes();
        for (int length = 1; length < whole.Length; length++) AssertRefused(whole[..length], "'");
        File.WriteAllBytes(_folder["x.gguf"], whole);
        GgufFile.Open(_folder["x.gguf"]).Dispose();
    }

    private GgufFile Open(TestGguf gguf)
    {
        gguf.Write(_folder["x.gguf"]);
        return GgufFile.Open(_folder["x.gguf"]);
    }

    private void AssertRefused(TestGguf gguf, string parts) => AssertRefused(gguf.ToBytes(), parts);

    private void AssertRefused(byte[] bytes, string parts)
    {
        string path = _folder["x.gguf"];
        File.WriteAllBytes(path, bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        AssertSentence(() => GgufFile.Open(path).Dispose(), [.. parts.Split('|')]);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MaxAllocated);
    }

    /// <summary>Any of the parts.</summary>
    private static void AssertSentence(Action action, params string[] anyPart)
    {
        string message = Assert.Throws<ModelLoadException>(action).Message;
        Assert.True(anyPart.Any(part => message.Contains(part, StringComparison.Ordinal)), $"none of [{string.Join(" | ", anyPart)}] in: {message}");
    }

    private static void AssertSentence<T>(Func<T> action, string part) => AssertSentence(() => { action(); }, [part]);
}
