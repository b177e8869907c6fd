using InferenceServer.Models.Files;

namespace InferenceServer.Models.Tests;

public sealed class ShardTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tensors_come_from_their_shards()
    {
        WriteShard("s1.safetensors", "a", 1);
        WriteShard("s2.safetensors", "b", 2);
        WriteIndex("""{"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}}""");
        using WeightFiles weights = WeightFiles.Open(_folder.Path);
        Assert.Equal([1f], PlainTensors.Widen(weights.Tensors["a"]));
        Assert.Equal([2f], PlainTensors.Widen(weights.Tensors["b"]));
        Assert.Equal(8, weights.TensorBytes);
    }

    [Theory]
    [InlineData("../s1.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("sub/s1.safetensors")]
    [InlineData("..\\\\s1.safetensors")]
    [InlineData("C:s1.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData(".hidden.safetensors")]
    public void A_shard_cannot_leave_the_folder(string name)
    {
        WriteIndex($$$"""{"weight_map":{"a":"{{{name}}}"}}""");
        AssertRefused("names the shard");
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"s1.safetensors","b":"s1.safetensors"}}""", "lacks tensor 'b'")]
    [InlineData("""{"weight_map":{"a":"gone.safetensors"}}""", "does not exist")]
    [InlineData("""{"weight_map":{"a":7}}""", "expected a text")]
    [InlineData("""{"weight_map":{"a":"s1.safetensors","a":"s1.safetensors"}}""", "Duplicate")]
    [InlineData("""{"weight_map":{"\ud800":"s1.safetensors"}}""", "not valid")]
    [InlineData("""{"weight_map":{"a":"\ud800"}}""", "not valid")]
    [InlineData("""{"weight_map":[]}""", "expected an object")]
    [InlineData("""{}""", "weight_map")]
    [InlineData("""{"weight""", "not valid JSON")]
    public void A_wrong_index_is_a_sentence(string index, string expected)
    {
        WriteShard("s1.safetensors", "a", 1);
        WriteIndex(index);
        AssertRefused(expected);
    }

    [Fact]
    public void A_tensor_in_two_shards_is_refused()
    {
        WriteShard("s1.safetensors", "a", 1);
        TestSafetensors.Write(_folder["s2.safetensors"], new Dictionary<string, TestTensor> { ["a"] = new([1], [3]), ["b"] = new([1], [4]) });
        WriteIndex("""{"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}}""");
        AssertRefused("an earlier shard holds too");
    }

    [Fact]
    public void A_folder_without_weights_is_a_sentence() => AssertRefused("holds neither");

    private void AssertRefused(string expected) =>
        Assert.Contains(expected, Assert.Throws<ModelLoadException>(() => WeightFiles.Open(_folder.Path)).Message, StringComparison.Ordinal);

    private void WriteIndex(string json) => File.WriteAllText(_folder[WeightFiles.IndexName], json);

    private void WriteShard(string name, string tensor, float value) =>
        TestSafetensors.Write(_folder[name], new Dictionary<string, TestTensor> { [tensor] = new([1], [value]) });
}
