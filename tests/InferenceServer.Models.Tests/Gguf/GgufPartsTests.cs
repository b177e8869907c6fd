using InferenceServer.Models.Files.Gguf;

namespace InferenceServer.Models.Tests.Gguf;

/// <summary>A model split into several GGUF files opens by any of its parts; parts that do not fit together are a sentence.</summary>
public sealed class GgufPartsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TestGguf _whole = TestConversion.Convert(new TinyModel("LlamaForCausalLM"));
    private readonly TestGguf[] _parts;

    public GgufPartsTests() => _parts = Split(3);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Any_part_opens_all_of_them(int part)
    {
        Write();
        using GgufParts parts = GgufParts.Open(PathOf(part));
        Assert.Equal(_whole.Tensors.Select(t => t.Name).Order(), parts.Tensors.Keys.Order());
        Assert.Equal("llama", parts.Metadata.Text("general.architecture"));
        Assert.Equal(3, parts.Files.Count());
        using ModelFolder model = ModelFolder.Open(PathOf(part));
        Assert.Equal(TinyModel.Layers, model.Config.Layers);
        Assert.Equal("tiny", ModelFolder.NameOf(PathOf(part)));
    }

    [Fact]
    public void A_missing_part_is_named()
    {
        Write();
        File.Delete(PathOf(2));
        AssertRefused(PathOf(1), "tiny-00002-of-00003.gguf' does not exist; the model was split into 3 parts");
    }

    [Fact]
    public void Parts_say_which_they_are()
    {
        _parts[1].Set("split.no", (ushort)2);
        Write();
        AssertRefused(PathOf(1), "key 'split.no' is 2; expected 1 by the file's name");
        _parts[1].Remove("split.no");
        Write();
        AssertRefused(PathOf(1), "lacks the key 'split.no'");
    }

    [Fact]
    public void Parts_agree_on_how_many_they_are()
    {
        _parts[2].Set("split.count", (ushort)4);
        Write();
        AssertRefused(PathOf(1), "key 'split.count' is 4; expected 3 by the file's name");
    }

    [Fact]
    public void All_parts_together_hold_as_many_tensors_as_they_say()
    {
        _parts[0].Set("split.tensors.count", 99);
        Write();
        AssertRefused(PathOf(1), "key 'split.tensors.count' is 99; expected 30");
    }

    [Fact]
    public void A_tensor_lies_in_one_part()
    {
        _parts[2].Add(_parts[0].Tensors[0]);
        Write();
        AssertRefused(PathOf(1), "holds tensor 'token_embd.weight', which an earlier part holds too");
    }

    [Fact]
    public void A_part_under_another_name_is_refused()
    {
        _parts[0].Write(_folder["renamed.gguf"]);
        AssertRefused(_folder["renamed.gguf"], "is one of 3 parts by its key 'split.count', but its name does not say which");
    }

    [Theory]
    [InlineData("tiny-00004-of-00003.gguf")]
    [InlineData("tiny-00000-of-00003.gguf")]
    [InlineData("tiny-00001-of-00000.gguf")]
    public void A_name_that_counts_wrong_is_refused(string name)
    {
        _whole.Write(_folder[name]);
        AssertRefused(_folder[name], "calls itself part");
    }

    [Theory]
    [InlineData("Llama-3.2-1B-Q4_K_M.gguf", "Llama-3.2-1B-Q4_K_M")]
    [InlineData("big-00002-of-00007.gguf", "big")]
    [InlineData("big-2-of-7.GGUF", "big-2-of-7")]
    public void A_model_is_called_by_its_file_without_part_and_extension(string file, string name) => Assert.Equal(name, ModelFolder.NameOf(_folder[file]));

    [Fact]
    public void A_part_of_one_is_whole()
    {
        _whole.Write(_folder["tiny-00001-of-00001.gguf"]);
        using ModelFolder model = ModelFolder.Open(_folder["tiny-00001-of-00001.gguf"]);
        Assert.Equal(30, model.Config.Layers * 9 + 3);
    }

    private TestGguf[] Split(int count)
    {
        TestGguf[] parts = [.. Enumerable.Range(0, count).Select(i => new TestGguf()
            .Set("split.no", (ushort)i).Set("split.count", (ushort)count).Set("split.tensors.count", _whole.Tensors.Count))];
        parts[0].Keys.AddRange(_whole.Keys);
        for (int i = 0; i < _whole.Tensors.Count; i++) parts[i * count / _whole.Tensors.Count].Add(_whole.Tensors[i]);
        return parts;
    }

    private string PathOf(int part) => _folder[$"tiny-{part:D5}-of-00003.gguf"];

    private void Write()
    {
        for (int i = 0; i < _parts.Length; i++) _parts[i].Write(PathOf(i + 1));
    }

    private static void AssertRefused(string path, string part) =>
        Assert.Contains(part, Assert.Throws<ModelLoadException>(() => ModelFolder.Open(path)).Message, StringComparison.Ordinal);
}
