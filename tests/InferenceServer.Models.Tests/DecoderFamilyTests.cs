using System.Text.Json.Nodes;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests;

/// <summary>Random models of each architecture against <see cref="PlainFormula"/>; and each difference between them must show.</summary>
public class DecoderFamilyTests
{
    private const double Tolerance = 2e-4; // f32 against double over three layers, logits of about 5
    private const double Visible = 0.01;

    private static readonly int[] Tokens = [1, 7, 3, 49, 7, 22, 11, 30, 2, 5, 40, 17, 9];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Llama(bool tied) => AssertEqual(new TinyModel("LlamaForCausalLM", tied: tied), model => new PlainFormula(model));

    [Fact]
    public void Llama_with_attention_biases()
    {
        TinyModel model = new("LlamaForCausalLM", qkvBias: true, outputBias: true) { Config = { ["attention_bias"] = true } };
        AssertEqual(model, m => new PlainFormula(m));
        AssertDiffers(model, m => new PlainFormula(m) { Biases = false });
    }

    [Fact]
    public void Mistral_slides()
    {
        TinyModel model = new("MistralForCausalLM") { Config = { ["sliding_window"] = 4 } };
        AssertEqual(model, m => new PlainFormula(m) { Window = _ => 4 });
        AssertDiffers(model, m => new PlainFormula(m));
        AssertDiffers(model, m => new PlainFormula(m) { Window = _ => 5 });
    }

    [Fact]
    public void Mistral_with_a_null_window_sees_all() =>
        AssertEqual(new TinyModel("MistralForCausalLM") { Config = { ["sliding_window"] = null } }, m => new PlainFormula(m));

    [Fact]
    public void Qwen2_has_biases_on_q_k_v()
    {
        TinyModel model = new("Qwen2ForCausalLM", qkvBias: true, tied: true) { Config = { ["sliding_window"] = 4 } };
        AssertEqual(model, m => new PlainFormula(m)); // without use_sliding_window the window is idle
        AssertDiffers(model, m => new PlainFormula(m) { Biases = false });
    }

    [Fact]
    public void Qwen2_slides_from_max_window_layers_on()
    {
        TinyModel model = new("Qwen2ForCausalLM", qkvBias: true)
        {
            Config = { ["sliding_window"] = 4, ["use_sliding_window"] = true, ["max_window_layers"] = 1 },
        };
        AssertEqual(model, m => new PlainFormula(m) { Window = layer => layer >= 1 ? 4 : 0 });
        AssertDiffers(model, m => new PlainFormula(m) { Window = _ => 4 });
        AssertDiffers(model, m => new PlainFormula(m));
    }

    [Fact]
    public void Qwen3_norms_q_and_k()
    {
        TinyModel model = new("Qwen3ForCausalLM", qkNorm: true);
        AssertEqual(model, m => new PlainFormula(m));
        AssertDiffers(model, m => new PlainFormula(m) { QkNorms = false });
    }

    [Fact]
    public void Qwen3_slides_where_layer_types_say()
    {
        TinyModel model = new("Qwen3ForCausalLM", qkvBias: true, outputBias: true, qkNorm: true)
        {
            Config =
            {
                ["attention_bias"] = true, ["sliding_window"] = 3, ["use_sliding_window"] = true,
                ["layer_types"] = new JsonArray("full_attention", "sliding_attention", "full_attention"),
            },
        };
        AssertEqual(model, m => new PlainFormula(m) { Window = layer => layer == 1 ? 3 : 0 });
        AssertDiffers(model, m => new PlainFormula(m));
    }

    [Fact]
    public void Scaled_frequencies_reach_the_logits()
    {
        TinyModel model = new("LlamaForCausalLM") { Config = { ["rope_scaling"] = new JsonObject { ["type"] = "linear", ["factor"] = 2.0 } } };
        double[] halved = [.. new PlainFormula(model).Frequencies.Select(f => f / 2)];
        AssertEqual(model, m => new PlainFormula(m) { Frequencies = halved });
        AssertDiffers(model, m => new PlainFormula(m));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public void Chunks_change_no_bit(int chunk)
    {
        TinyModel model = new("Qwen3ForCausalLM", qkNorm: true);
        Assert.Equal(RunnerLogits(model, Tokens.Length), RunnerLogits(model, chunk));
    }

    private static void AssertEqual(TinyModel model, Func<TinyModel, PlainFormula> formula) =>
        Assert.InRange(Difference(model, formula), 0, Tolerance);

    private static void AssertDiffers(TinyModel model, Func<TinyModel, PlainFormula> formula) =>
        Assert.InRange(Difference(model, formula), Visible, double.MaxValue);

    private static double Difference(TinyModel model, Func<TinyModel, PlainFormula> formula)
    {
        double[][] expected = formula(model).Logits(Tokens);
        List<float[]> actual = RunnerLogits(model, Tokens.Length);
        Assert.Equal(expected.Length, actual.Count);
        return expected.Zip(actual, (e, a) => e.Zip(a, (x, y) => Math.Abs(x - y)).Max()).Max();
    }

    private static List<float[]> RunnerLogits(TinyModel model, int chunk)
    {
        using TemporaryFolder temporary = new();
        model.Write(temporary.Path);
        using ModelFolder folder = ModelFolder.Open(temporary.Path);
        PlainBackend backend = new();
        using IModelRunner runner = folder.LoadRunner(
            backend, new RunnerOptions { BlockSize = 4, MaxSequencesPerStep = 1, MaxTokensPerStep = 16, MaxRowsPerStep = 16 });
        HandLoop loop = new(runner);
        List<float[]> logits = [];
        for (int computed = 0; computed < Tokens.Length; computed += chunk)
        {
            int end = Math.Min(Tokens.Length, computed + chunk);
            loop.Step(Tokens, computed, end, end - computed);
            logits.AddRange(backend.Logits);
        }

        return logits;
    }
}
