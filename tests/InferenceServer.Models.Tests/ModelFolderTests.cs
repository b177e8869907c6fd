using System.Text.Json.Nodes;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests;

/// <summary>What a folder says is read; what is wrong in it is a sentence.</summary>
public sealed class ModelFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TinyModel _model = new("LlamaForCausalLM");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_missing_tensor_is_named_with_its_shape()
    {
        _model.Tensors.Remove("model.layers.1.mlp.up_proj.weight");
        AssertRefused("lacks tensor 'model.layers.1.mlp.up_proj.weight'", "(40, 24)");
    }

    [Fact]
    public void A_wrong_shape_is_named_with_the_right_one()
    {
        _model.Tensors["model.norm.weight"] = new TestTensor([12, 2], new float[24]);
        AssertRefused("'model.norm.weight' has shape (12, 2)", "expects (24)");
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.q_proj.bias")] // attention_bias is not set, so it would be left out silently
    [InlineData("model.layers.3.input_layernorm.weight")] // num_hidden_layers is too low
    public void A_tensor_that_nothing_uses_is_refused(string name)
    {
        _model.Tensors[name] = new TestTensor([32], new float[32]);
        AssertRefused($"holds tensor '{name}'");
    }

    [Fact]
    public void Stored_rope_frequencies_and_a_repeated_tied_head_are_ignored()
    {
        TinyModel model = new("LlamaForCausalLM", tied: true);
        model.Tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = new TestTensor([4], new float[4]);
        model.Tensors["lm_head.weight"] = model.Tensors["model.embed_tokens.weight"];
        model.Write(_folder.Path);
        using ModelFolder folder = ModelFolder.Open(_folder.Path);
        using IModelRunner runner = folder.LoadRunner(new PlainBackend(), new RunnerOptions());
        Assert.Equal(TinyModel.Vocabulary, runner.Limits.VocabularySize);
    }

    [Theory]
    [InlineData("notes.txt", "name a folder with config.json")]
    [InlineData("model.gguf", "name the file itself, such as '")]
    public void A_folder_that_is_no_models_says_what_to_name(string file, string nextStep)
    {
        File.WriteAllText(Path.Combine(_folder.Path, file), "");
        ModelLoadException refused = Assert.Throws<ModelLoadException>(() => ModelFolder.Open(_folder.Path));
        Assert.Contains("has no config.json", refused.Message, StringComparison.Ordinal);
        Assert.Contains(nextStep, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_untied_head_must_be_there()
    {
        _model.Tensors.Remove("lm_head.weight");
        AssertRefused("lacks tensor 'lm_head.weight'");
    }

    [Theory]
    [InlineData("architectures", """["GPT2LMHeadModel"]""", "'GPT2LMHeadModel' is not known; expected one of LlamaForCausalLM")]
    [InlineData("architectures", """[]""", "a list of one class name")]
    [InlineData("num_attention_heads", "0", "'num_attention_heads' is 0; expected a whole number from 1")]
    [InlineData("num_key_value_heads", "3", "a divisor of num_attention_heads = 4")]
    [InlineData("hidden_size", "\"24\"", "'hidden_size' is \"24\"")]
    [InlineData("hidden_size", "1e99", "'hidden_size' is 1e99")]
    [InlineData("hidden_size", "null", "lacks the field 'hidden_size'")]
    [InlineData("head_dim", "7", "an even number")]
    [InlineData("head_dim", "null", "(24, 24)")] // hidden / heads = 6: the query matrix has another shape then
    [InlineData("vocab_size", "2147483647", "'vocab_size'")]
    [InlineData("hidden_act", "\"gelu\"", "\"silu\", not \"gelu\"")]
    [InlineData("mlp_bias", "true", "'mlp_bias' is true")]
    [InlineData("quantization_config", "{}", "no quantization")]
    [InlineData("partial_rotary_factor", "0.5", "whole heads rotate")]
    [InlineData("eos_token_id", "[2, 50]", "from 0 to 49")]
    [InlineData("rms_norm_eps", "\"small\"", "'rms_norm_eps'")]
    [InlineData("rope_theta", "-5", "'rope_theta'")]
    [InlineData("rope_scaling", """{"rope_type":"yarn","factor":4.0}""", "'rope_scaling.rope_type' is \"yarn\"; expected default, linear, dynamic or llama3")]
    [InlineData("rope_parameters", """{"rope_type":"default","partial_rotary_factor":0.25}""", "whole heads rotate")]
    [InlineData("rope_scaling", """{"type":"linear"}""", "lacks the field 'rope_scaling.factor'")]
    [InlineData("rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":1,"original_max_position_embeddings":8}""", "more than low_freq_factor = 4")]
    [InlineData("layer_types", """["full_attention"]""", "3 times")]
    public void A_wrong_field_is_a_sentence(string field, string value, string expected)
    {
        _model.Config[field] = JsonNode.Parse(value);
        AssertRefused(expected);
    }

    [Theory]
    [InlineData("""{"architectures": [""", "is not valid JSON")]
    [InlineData("", "is not valid JSON")]
    [InlineData("null", "expected an object")]
    [InlineData("""{"architectures":["\ud800"]}""", "not valid UTF-8")] // half a surrogate pair
    [InlineData("""{"\ud800":1}""", "'architectures' is absent")]
    public void Broken_json_is_a_sentence(string json, string expected)
    {
        _model.Write(_folder.Path);
        File.WriteAllText(_folder["config.json"], json);
        string message = Refusal();
        Assert.Contains("config.json'", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Newer_rope_parameters_are_read()
    {
        _model.Config.Remove("rope_theta");
        _model.Config["rope_parameters"] = JsonNode.Parse(
            """{"rope_type":"llama3","rope_theta":500000.0,"factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}""");
        _model.Write(_folder.Path);
        using ModelFolder folder = ModelFolder.Open(_folder.Path);
        Assert.Equal(500_000, folder.Config.RopeTheta);
        Assert.Equal(
            new RopeScaling { Kind = RopeScalingKind.Llama3, Factor = 32, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalPositions = 8192 },
            folder.Config.RopeScaling);
    }

    [Fact]
    public void Generation_defaults_fall_back_to_the_config()
    {
        _model.Write(_folder.Path);
        File.WriteAllText(_folder["generation_config.json"], """{"eos_token_id":[5,6],"temperature":0.6,"top_p":0.9,"top_k":20,"repetition_penalty":1.1,"do_sample":true}""");
        using ModelFolder folder = ModelFolder.Open(_folder.Path);
        GenerationDefaults defaults = folder.Generation;
        Assert.Equal(1, defaults.BosToken);
        Assert.Equal([5, 6], defaults.EosTokens);
        Assert.Equal((0.6f, 0.9f, 20, 1.1f, true), (defaults.Temperature, defaults.TopP, defaults.TopK, defaults.RepetitionPenalty, defaults.DoSample));
    }

    [Theory]
    [InlineData("""{"chat_template":"T","bos_token":"<s>","eos_token":{"content":"</s>"}}""", null, "T")]
    [InlineData("""{"chat_template":[{"name":"tool_use","template":"U"},{"name":"default","template":"D"}],"bos_token":"<s>","eos_token":"</s>"}""", null, "D")]
    [InlineData("""{"chat_template":"T","bos_token":"<s>","eos_token":"</s>"}""", "F", "F")]
    [InlineData("""{"bos_token":"<s>","eos_token":"</s>"}""", null, null)]
    public void The_chat_template_is_found(string config, string? file, string? expected)
    {
        _model.Write(_folder.Path);
        File.WriteAllText(_folder["tokenizer_config.json"], config);
        if (file is not null) File.WriteAllText(_folder["chat_template.jinja"], file);
        using ModelFolder folder = ModelFolder.Open(_folder.Path);
        Assert.Equal((expected, "<s>", "</s>"), (folder.Tokenizer.ChatTemplate, folder.Tokenizer.BosText, folder.Tokenizer.EosText));
        Assert.NotNull(folder.TokenizerConfigPath);
        Assert.Null(folder.TokenizerPath);
    }

    [Fact]
    public void Progress_ends_at_the_total_and_the_estimate_is_its_sum()
    {
        _model.Write(_folder.Path);
        using ModelFolder folder = ModelFolder.Open(_folder.Path);
        Recorder recorder = new();
        using IModelRunner runner = folder.LoadRunner(new PlainBackend(), new RunnerOptions(), recorder);
        long bytes = _model.Tensors.Values.Sum(t => 4L * t.Values.Length);
        Assert.Equal((bytes, bytes), (recorder.Last.BytesDone, recorder.Last.BytesTotal));
        Assert.Equal(bytes, folder.Estimate().WeightBytes);
        Assert.Equal(2 * 3 * 2 * 8 * 2, folder.Estimate(kvElementBytes: 2).KvBytesPerToken);
    }

    private void AssertRefused(params string[] expected)
    {
        _model.Write(_folder.Path);
        string message = Refusal();
        Assert.All(expected, part => Assert.Contains(part, message, StringComparison.Ordinal));
        Assert.Contains(_folder.Path, message, StringComparison.Ordinal);
    }

    private string Refusal() => Assert.Throws<ModelLoadException>(() =>
    {
        using ModelFolder folder = ModelFolder.Open(_folder.Path);
        folder.LoadRunner(new PlainBackend(), new RunnerOptions());
    }).Message;

    private sealed class Recorder : IProgress<LoadProgress>
    {
        public LoadProgress Last { get; private set; }

        public void Report(LoadProgress value) => Last = value;
    }
}
