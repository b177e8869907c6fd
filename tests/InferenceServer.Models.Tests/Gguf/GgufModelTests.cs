using System.Text.Json.Nodes;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests.Gguf;

/// <summary>The same weights as a Hugging Face folder and as a GGUF file are the same model, bit for bit.</summary>
public sealed class GgufModelTests : IDisposable
{
    private const double Visible = 0.01;

    private static readonly int[] Tokens = [1, 7, 3, 49, 7, 22, 11, 30, 2, 5, 40, 17, 9];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(ElementType.F32)]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Llama_in(ElementType type)
    {
        TinyModel model = new("LlamaForCausalLM");
        foreach ((string name, TestTensor tensor) in model.Tensors.ToArray())
            if (tensor.Shape.Length == 2) model.Tensors[name] = tensor with { Type = type };
        AssertEqual(model);
    }

    [Fact]
    public void Llama_whose_embedding_is_its_head() => AssertEqual(new TinyModel("LlamaForCausalLM", tied: true));

    [Theory]
    [InlineData(ElementType.F32)]
    [InlineData(ElementType.F16)]
    public void Llama_with_attention_biases(ElementType biases)
    {
        TinyModel model = new("LlamaForCausalLM", qkvBias: true, outputBias: true) { Config = { ["attention_bias"] = true } };
        foreach ((string name, TestTensor tensor) in model.Tensors.ToArray())
            if (name.EndsWith(".bias", StringComparison.Ordinal)) model.Tensors[name] = tensor with { Type = biases };
        AssertEqual(model);
    }

    [Fact]
    public void Mistral_slides() => AssertEqual(new TinyModel("MistralForCausalLM") { Config = { ["sliding_window"] = 4 } });

    [Theory]
    [InlineData(0)]
    [InlineData(TinyModel.Positions)]
    public void A_window_of_nothing_or_of_the_whole_context_is_a_Llama(int window)
    {
        TestConversion.Convert(new TinyModel("LlamaForCausalLM")).Set("llama.attention.sliding_window", (uint)window).Write(_folder["w.gguf"]);
        using ModelFolder model = ModelFolder.Open(_folder["w.gguf"]);
        Assert.Equal("LlamaForCausalLM", model.Config.Architecture);
    }

    [Fact]
    public void Qwen2() => AssertEqual(new TinyModel("Qwen2ForCausalLM", qkvBias: true, tied: true));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Qwen3(bool biases) => AssertEqual(new TinyModel("Qwen3ForCausalLM", qkvBias: biases, outputBias: biases, qkNorm: true) { Config = { ["attention_bias"] = biases } });

    [Fact]
    public void Linear_scaling() =>
        AssertEqual(new TinyModel("LlamaForCausalLM") { Config = { ["rope_scaling"] = new JsonObject { ["type"] = "linear", ["factor"] = 2.0 } } });

    [Fact]
    public void Llama_3_scaling_as_a_tensor_equals_the_one_in_the_config()
    {
        TinyModel model = new("LlamaForCausalLM")
        {
            Config =
            {
                ["rope_scaling"] = new JsonObject
                {
                    ["rope_type"] = "llama3", ["factor"] = 8.0, ["low_freq_factor"] = 1.0, ["high_freq_factor"] = 4.0, ["original_max_position_embeddings"] = 64,
                },
            },
        };
        TestGguf gguf = TestConversion.Convert(model);
        Assert.InRange(Difference(FolderLogits(model), Logits(gguf)), 0, 1e-4); // the tensor's factors are f32
        TestGguf without = TestConversion.Convert(model);
        without.Tensors.RemoveAll(t => t.Name == "rope_freqs.weight");
        Assert.InRange(Difference(FolderLogits(model), Logits(without)), Visible, double.MaxValue);
    }

    [Fact]
    public void A_missing_permutation_would_show()
    {
        TinyModel model = new("LlamaForCausalLM");
        Assert.InRange(Difference(FolderLogits(model), Logits(TestConversion.Convert(model, permute: false))), Visible, double.MaxValue);
    }

    [Fact]
    public void What_a_file_of_version_2_holds_is_the_same()
    {
        TinyModel model = new("LlamaForCausalLM");
        TestGguf gguf = TestConversion.Convert(model);
        gguf.Version = 2;
        Assert.Equal(FolderLogits(model), Logits(gguf));
    }

    [Fact]
    public void Another_alignment_moves_the_tensors()
    {
        TinyModel model = new("LlamaForCausalLM");
        TestGguf gguf = TestConversion.Convert(model).Set("general.alignment", 256u);
        gguf.Alignment = 256;
        Assert.Equal(FolderLogits(model), Logits(gguf));
    }

    private void AssertEqual(TinyModel model) => Assert.Equal(FolderLogits(model), Logits(TestConversion.Convert(model)));

    private List<float[]> FolderLogits(TinyModel model)
    {
        model.Write(_folder.Path);
        return Logits(_folder.Path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Progress_counts_stored_bytes_and_ends_at_the_total(bool tied)
    {
        TestConversion.Convert(new TinyModel("LlamaForCausalLM", tied: tied)).Write(_folder["p.gguf"]);
        using ModelFolder model = ModelFolder.Open(_folder["p.gguf"]);
        Steps steps = new();
        using IModelRunner runner = model.LoadRunner(new PlainBackend(), new RunnerOptions(), steps);
        long total = model.Estimate().WeightBytes;
        Assert.All(steps.Seen, s => Assert.Equal(total, s.BytesTotal));
        Assert.Equal(total, steps.Seen[^1].BytesDone);
        Assert.Equal(steps.Seen.Select(s => s.BytesDone).Order(), steps.Seen.Select(s => s.BytesDone));
    }

    private List<float[]> Logits(TestGguf gguf)
    {
        string path = _folder["tiny.gguf"];
        gguf.Write(path);
        return Logits(path);
    }

    private static List<float[]> Logits(string path)
    {
        using ModelFolder model = ModelFolder.Open(path);
        PlainBackend backend = new();
        using IModelRunner runner = model.LoadRunner(backend, new RunnerOptions { BlockSize = 4, MaxSequencesPerStep = 1, MaxTokensPerStep = 16, MaxRowsPerStep = 16 });
        new HandLoop(runner).Step(Tokens, 0, Tokens.Length, Tokens.Length);
        return backend.Logits;
    }

    private static double Difference(List<float[]> a, List<float[]> b) => a.Zip(b, (x, y) => x.Zip(y, (p, q) => Math.Abs(p - q)).Max()).Max();

    private sealed class Steps : IProgress<LoadProgress>
    {
        public List<LoadProgress> Seen { get; } = [];

        public void Report(LoadProgress value) => Seen.Add(value);
    }
}
