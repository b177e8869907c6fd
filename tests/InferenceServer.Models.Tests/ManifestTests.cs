using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using InferenceServer.Models.Architectures;
using InferenceServer.Models.Manifest;

namespace InferenceServer.Models.Tests;

public sealed class ManifestTests : IDisposable
{
    private readonly TemporaryFolder _catalog = new();
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public ManifestTests()
    {
        Directory.CreateDirectory(_catalog["tiny"]);
        new TinyModel("LlamaForCausalLM").Write(_catalog["tiny"]);
        WriteManifest(Manifest());
    }

    public void Dispose()
    {
        _catalog.Dispose();
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public void Every_manifest_of_the_repository_is_right_and_shipped_files_verify()
    {
        ModelCatalog catalog = ModelCatalog.Open(TestFiles.Manifests);
        Assert.Contains(catalog.Models, m => m.Id == "qwen3-0.6b");
        foreach (ModelManifest model in catalog.Models.Where(m => m.Folder is not null))
        {
            Assert.NotEmpty(model.Files);
            Assert.All(ModelCatalog.Verify(model, catalog.FolderOf(model)!), verdict => Assert.Null(verdict.Problem));
            Assert.True(catalog.GoldensOf(model) is null || File.Exists(catalog.GoldensOf(model)));
            using ModelFolder folder = catalog.OpenModel(model.Id);
            Assert.Equal(model.ContextLength, folder.Config.MaxPositions);
        }
    }

    [Fact]
    public void The_schema_knows_the_fields_and_architectures_that_the_reader_knows()
    {
        using JsonDocument schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestFiles.Manifests, "manifest.schema.json")));
        JsonElement properties = schema.RootElement.GetProperty("properties");
        Assert.Equal(ManifestReader.Fields.Order(), properties.EnumerateObject().Select(p => p.Name).Order());
        Assert.Equal(
            ArchitectureTable.Names.Order(),
            properties.GetProperty("architecture").GetProperty("enum").EnumerateArray().Select(e => e.GetString()).Order());
    }

    [Fact]
    public void A_right_model_opens()
    {
        using ModelFolder folder = ModelCatalog.Open(_catalog.Path).OpenModel("tiny");
        Assert.Equal(TinyModel.Hidden, folder.Config.HiddenSize);
    }

    [Fact]
    public void Weights_with_a_wrong_hash_are_refused()
    {
        using (FileStream stream = new(Path.Combine(_catalog["tiny"], "model.safetensors"), FileMode.Open))
        {
            stream.Seek(-1, SeekOrigin.End);
            int last = stream.ReadByte();
            stream.Seek(-1, SeekOrigin.End);
            stream.WriteByte((byte)(last ^ 1)); // one bit of one weight
        }

        AssertRefused("has SHA-256");
    }

    [Fact]
    public void A_missing_a_longer_and_an_unnamed_file_are_refused()
    {
        File.WriteAllText(Path.Combine(_catalog["tiny"], "chat_template.jinja"), "ignore all");
        AssertRefused("not in the manifest");
        File.AppendAllText(Path.Combine(_catalog["tiny"], "config.json"), " ");
        AssertRefused("bytes, expected");
        File.Delete(Path.Combine(_catalog["tiny"], "config.json"));
        AssertRefused("is missing");
    }

    [Fact]
    public void A_shard_that_the_manifest_does_not_name_is_refused()
    {
        string folder = _catalog["tiny"];
        TinyModel model = new("LlamaForCausalLM");
        File.Delete(Path.Combine(folder, "model.safetensors"));
        string map = string.Join(',', model.Tensors.Keys.Select(name => $"\"{name}\":\"model-1.safetensors\""));
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), "{\"weight_map\":{" + map + "}}");
        WriteManifest(Manifest()); // before the shard is there
        TestSafetensors.Write(Path.Combine(folder, "model-1.safetensors"), model.Tensors);
        AssertRefused("is a shard that the manifest does not name");
        WriteManifest(Manifest());
        ModelCatalog.Open(_catalog.Path).OpenModel("tiny").Dispose();
    }

    [Fact]
    public void Another_architecture_is_refused()
    {
        JsonObject manifest = Manifest();
        manifest["architecture"] = "Qwen3ForCausalLM";
        WriteManifest(manifest);
        AssertRefused("it is another model");
    }

    [Theory]
    [InlineData("id", "\"other\"", "the file's own name")]
    [InlineData("folder", "\"../secrets\"", "stays in its folder")]
    [InlineData("folder", "\"/etc\"", "stays in its folder")]
    [InlineData("architecture", "\"GPT2LMHeadModel\"", "is not known")]
    [InlineData("parameters", "0", "'parameters' is 0")]
    [InlineData("licence", "null", "lacks the field 'licence'")]
    [InlineData("colour", "1", "unknown field 'colour'")]
    [InlineData("source", """{"kind":"ftp"}""", "'source.kind'")]
    [InlineData("source", """{"kind":"huggingface"}""", "'source.repository' is absent")]
    [InlineData("files", """[{"path":"a","bytes":1,"sha256":"ABC"}]""", "64 lower-case")]
    [InlineData("files", """[{"path":"../a","bytes":1,"sha256":""}]""", "'files[0].path'")]
    [InlineData("price", """{"currency":"usd"}""", "'price.currency'")]
    [InlineData("goldens", """{"file":"g","minimumShare":2}""", "'goldens.minimumShare'")]
    public void A_wrong_manifest_is_a_sentence(string field, string value, string expected)
    {
        JsonObject manifest = Manifest();
        manifest[field] = JsonNode.Parse(value);
        WriteManifest(manifest);
        Assert.Equal(1, ModelsCommand.List(_catalog.Path, _output, _error));
        Assert.Contains(expected, _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void List_show_and_verify_speak()
    {
        Assert.Equal(0, ModelsCommand.List(_catalog.Path, _output, _error));
        Assert.Equal(0, ModelsCommand.Show(_catalog.Path, "tiny", _output, _error));
        Assert.Equal(0, ModelsCommand.Verify(_catalog.Path, null, null, _output, _error));
        Assert.Contains("tiny: model.safetensors ok", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("LlamaForCausalLM", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal("", _error.ToString());

        File.AppendAllText(Path.Combine(_catalog["tiny"], "model.safetensors"), "x");
        Assert.Equal(1, ModelsCommand.Verify(_catalog.Path, "tiny", null, _output, _error));
        Assert.Equal(1, ModelsCommand.Show(_catalog.Path, "gone", _output, _error));
        Assert.Contains("There is no model 'gone'", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_says_when_there_are_no_hashes()
    {
        JsonObject manifest = Manifest();
        manifest["files"] = new JsonArray();
        WriteManifest(manifest);
        Assert.Equal(1, ModelsCommand.Verify(_catalog.Path, "tiny", _catalog["tiny"], _output, _error));
        Assert.Contains("holds no hashes", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Big_files_are_remembered_until_they_change()
    {
        string path = _catalog["big.bin"], memoryPath = _catalog["cache/verified.txt"];
        using (FileStream stream = File.Create(path)) stream.SetLength(VerifiedFiles.AlwaysHashedBytes);
        ModelFile file = new("big.bin", VerifiedFiles.AlwaysHashedBytes, new string('a', 64)), small = file with { Bytes = 10 };
        using (FileStream stream = File.OpenRead(path))
        {
            VerifiedFiles memory = new(memoryPath);
            Assert.False(memory.Knows(stream, file));
            memory.Remember(stream, file);
            memory.Remember(stream, small);
            VerifiedFiles later = new(memoryPath);
            Assert.True(later.Knows(stream, file));
            Assert.Equal(file.Sha256, later.HashOf(stream));
            Assert.False(later.Knows(stream, small));
            Assert.False(later.Knows(stream, file with { Sha256 = new string('b', 64) }));
        }

        File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        using FileStream changed = File.OpenRead(path);
        Assert.False(new VerifiedFiles(memoryPath).Knows(changed, file));
        Assert.Null(new VerifiedFiles(memoryPath).HashOf(changed));
    }

    private void AssertRefused(string expected)
    {
        ModelCatalog catalog = ModelCatalog.Open(_catalog.Path);
        Assert.Contains(expected, Assert.Throws<ModelLoadException>(() => catalog.OpenModel("tiny")).Message, StringComparison.Ordinal);
    }

    private void WriteManifest(JsonObject manifest) => File.WriteAllText(_catalog["tiny.json"], manifest.ToJsonString());

    private JsonObject Manifest() => new()
    {
        ["id"] = "tiny",
        ["name"] = "Tiny",
        ["description"] = "random",
        ["source"] = new JsonObject { ["kind"] = "builtin" },
        ["licence"] = "MIT",
        ["architecture"] = "LlamaForCausalLM",
        ["parameters"] = 1,
        ["contextLength"] = TinyModel.Positions,
        ["folder"] = "tiny",
        ["files"] = new JsonArray([.. Directory.EnumerateFiles(_catalog["tiny"]).Select(path => new JsonObject
        {
            ["path"] = Path.GetFileName(path), ["bytes"] = new FileInfo(path).Length,
            ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))),
        })]),
    };
}
