using InferenceServer.Core.Stepping;
using InferenceServer.Core.Text;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Files.Gguf;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests.Gguf;

/// <summary>What a GGUF file says of its model is read; what it asks for and is not computed is a sentence.</summary>
public sealed class GgufConfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TestGguf _gguf = TestConversion.Convert(new TinyModel("LlamaForCausalLM"));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("general.architecture", "gemma3", "'general.architecture' is \"gemma3\"; expected one of llama, qwen2, qwen3 (Llama and Mistral models are \"llama\")")]
    [InlineData("llama.expert_count", 8u, "'llama.expert_count' is 8; expected none")]
    [InlineData("llama.attention.clamp_kqv", 8f, "'llama.attention.clamp_kqv'")]
    [InlineData("llama.attention.causal", false, "only models that generate text")]
    [InlineData("llama.block_count", 0u, "a whole number from 1 to 4096")]
    [InlineData("llama.block_count", 4u, "lacks tensor 'blk.3.attn_norm.weight'; its metadata expects")]
    [InlineData("llama.block_count", 2u, "holds tensor 'blk.2.")]
    [InlineData("llama.embedding_length", 32u, "'token_embd.weight' has shape (50, 24); its metadata expects (50, 32)")]
    [InlineData("llama.attention.head_count_kv", 3u, "a divisor of attention.head_count = 4")]
    [InlineData("llama.attention.key_length", 7u, "an even number")]
    [InlineData("llama.attention.value_length", 4u, "8, as long as a key")]
    [InlineData("llama.rope.dimension_count", 4u, "8 (whole heads rotate)")]
    [InlineData("llama.context_length", 0u, "'llama.context_length'")]
    [InlineData("llama.vocab_size", 51u, "50, the rows of 'token_embd.weight'")]
    [InlineData("llama.rope.freq_base", -1f, "'llama.rope.freq_base'")]
    [InlineData("llama.rope.scaling.type", "yarn", "none or linear")]
    [InlineData("llama.rope.scaling.factor", 0.5f, "a number from 1 to")]
    [InlineData("llama.attention.layer_norm_rms_epsilon", "small", "a number from 0 to 1")]
    [InlineData("tokenizer.ggml.eos_token_id", 50u, "a whole number from 0 to 49")]
    public void A_bad_key_is_named(string key, object value, string part)
    {
        _gguf.Set(key, value);
        AssertRefused(part);
    }

    [Theory]
    [InlineData("llama.block_count")]
    [InlineData("llama.context_length")]
    [InlineData("llama.embedding_length")]
    [InlineData("llama.feed_forward_length")]
    [InlineData("llama.attention.head_count")]
    [InlineData("llama.attention.layer_norm_rms_epsilon")]
    [InlineData("general.architecture")]
    public void A_missing_key_is_named(string key)
    {
        _gguf.Remove(key);
        AssertRefused($"lacks the key '{key}'");
    }

    [Theory]
    [InlineData("blk.0.attn_q.bias", 32)]
    [InlineData("blk.3.attn_norm.weight", 24)]
    [InlineData("blk.0.ffn_gate_inp.weight", 24)]
    [InlineData("model.layers.0.input_layernorm.weight", 24)]
    [InlineData("blk.00.attn_norm.weight", 24)]
    [InlineData("enc.position", 1)]
    public void A_tensor_that_nothing_uses_is_refused_by_its_name_in_the_file(string name, int length)
    {
        _gguf.Add(new TestGgufTensor(name, [length], TestGguf.F32, new byte[length * 4]));
        AssertRefused(name.EndsWith("attn_q.bias", StringComparison.Ordinal) ? "lacks tensor 'blk.0.attn_k.bias'" : $"holds tensor '{name}'");
    }

    [Fact]
    public void Stored_frequencies_of_old_conversions_are_ignored()
    {
        _gguf.Add(new TestGgufTensor("blk.0.attn_rot_embd.weight", [4], TestGguf.F32, new byte[16]));
        Load();
    }

    [Fact]
    public void Rope_factors_are_one_for_each_pair_and_positive()
    {
        _gguf.Add(new TestGgufTensor("rope_freqs.weight", [5], TestGguf.F32, new byte[20]));
        AssertRefused("'rope_freqs.weight' has shape (5) in F32; expected (4) in F32");
        _gguf.Tensors[^1] = new TestGgufTensor("rope_freqs.weight", [4], TestGguf.F32, new byte[16]);
        AssertRefused("number 0 of tensor 'rope_freqs.weight' is 0");
    }

    [Fact]
    public void Rope_factors_of_a_Qwen_are_refused()
    {
        TestGguf qwen = TestConversion.Convert(new TinyModel("Qwen2ForCausalLM", qkvBias: true));
        AssertRefused(qwen.Add(new TestGgufTensor("rope_freqs.weight", [4], TestGguf.F32, new byte[16])), "holds tensor 'rope_freqs.weight'");
    }

    [Theory]
    [InlineData("Qwen2ForCausalLM")]
    [InlineData("LlamaForCausalLM")]
    public void A_quantized_bias_is_refused(string architecture)
    {
        TestGguf gguf = TestConversion.Convert(new TinyModel(architecture, qkvBias: true, outputBias: architecture[0] == 'L'));
        int index = gguf.Tensors.FindIndex(t => t.Name == "blk.1.attn_q.bias");
        gguf.Tensors[index] = new TestGgufTensor("blk.1.attn_q.bias", [32], TestGguf.Q8_0, new byte[34]);
        AssertRefused(gguf, "'blk.1.attn_q.bias' is a quantized vector; expected F32, F16 or BF16");
    }

    [Fact]
    public void A_vocabulary_alone_is_no_model()
    {
        _gguf.Tensors.Clear();
        AssertRefused("a file with a vocabulary or an adapter alone is no model");
    }

    [Fact]
    public void Idle_values_of_what_is_not_computed_are_no_reason_to_refuse()
    {
        _gguf.Set("llama.expert_count", 0u).Set("llama.use_parallel_residual", false).Set("llama.rope.scaling.type", "none").Set("llama.attention.causal", true);
        Load();
    }

    [Fact]
    public void A_folder_of_GGUF_files_asks_for_the_file()
    {
        _gguf.Write(_folder["x.gguf"]);
        Assert.Contains("x.gguf'.", Assert.Throws<ModelLoadException>(() => ModelFolder.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_tokenizer_comes_as_tables_with_its_template_and_ends()
    {
        string[] tokens = [.. Enumerable.Range(0, TinyModel.Vocabulary).Select(i => i switch { 1 => "<s>", 2 => "</s>", 40 => "<|eot_id|>", 41 => "<|im_end|>", _ => $"t{i}" })];
        int[] types = [.. Enumerable.Range(0, TinyModel.Vocabulary).Select(i => i is 1 or 2 or 40 ? 3 : 1)]; // 41 is plain text
        _gguf.Set("tokenizer.ggml.model", "gpt2").Set("tokenizer.ggml.pre", "llama-bpe").Set("tokenizer.ggml.tokens", tokens).Set("tokenizer.ggml.token_type", types)
            .Set("tokenizer.ggml.merges", new[] { "t 1", "t1 2" }).Set("tokenizer.ggml.eot_token_id", 5u).Set("tokenizer.ggml.add_bos_token", true)
            .Set("tokenizer.chat_templates", new[] { "tool_use" }).Set("tokenizer.chat_template.tool_use", "tools").Set("tokenizer.chat_template", "plain");
        _gguf.Write(_folder["x.gguf"]);
        using ModelFolder model = ModelFolder.Open(_folder["x.gguf"]);
        TokenizerTables tables = model.TokenizerTables!;
        Assert.Equal(("gpt2", "llama-bpe", 1, 2, (bool?)true), (tables.Model, tables.Pre, tables.BosToken, tables.EosToken, tables.AddBos));
        Assert.Equal(tokens, tables.Tokens);
        Assert.Equal(types, tables.Types);
        Assert.Equal(["t 1", "t1 2"], tables.Merges);
        Assert.Equal(("plain", "<s>", "</s>"), (model.Tokenizer.ChatTemplate, model.Tokenizer.BosText, model.Tokenizer.EosText));
        Assert.Equal([2, 5, 40], model.Generation.EosTokens);
        Assert.Equal(1, model.Generation.BosToken);
    }

    [Fact]
    public void Recommended_sampling_is_read()
    {
        _gguf.Set("general.sampling.temp", 0.6f).Set("general.sampling.top_p", 0.9f).Set("general.sampling.top_k", 20).Set("general.sampling.penalty_repeat", 1.1f).Write(_folder["x.gguf"]);
        using ModelFolder model = ModelFolder.Open(_folder["x.gguf"]);
        Assert.Equal((0.6f, 0.9f, 20, 1.1f), (model.Generation.Temperature, model.Generation.TopP, model.Generation.TopK, model.Generation.RepetitionPenalty));
        Assert.Null(model.Generation.DoSample);
    }

    [Fact]
    public void Lists_of_a_tokenizer_are_as_long_as_its_tokens()
    {
        _gguf.Set("tokenizer.ggml.model", "llama").Set("tokenizer.ggml.tokens", new[] { "a", "b", "c" }).Set("tokenizer.ggml.scores", new[] { 1f, 2f });
        AssertRefused("'tokenizer.ggml.scores' is a list of 2 items of type Float32; expected one item for each of the 3 tokens");
        _gguf.Set("tokenizer.ggml.scores", new[] { 1f, 2f, 3f }).Set("tokenizer.ggml.bos_token_id", 3u);
        AssertRefused("'tokenizer.ggml.bos_token_id' is 3; expected a whole number from 0 to 2");
    }

    [Theory]
    [InlineData("llama-spm", "llama", 32000, 0)]
    [InlineData("phi-3", "llama", 32064, 0)]
    [InlineData("gpt-2", "gpt2", 50257, 50000)]
    [InlineData("deepseek-llm", "gpt2", 102400, 99757)]
    [InlineData("starcoder", "gpt2", 49152, 48872)]
    public void Published_vocabularies_are_read(string name, string model, int tokens, int merges)
    {
        using GgufFile file = GgufFile.Open(TestFiles.Shared("tokenizers", "llama.cpp", $"ggml-vocab-{name}.gguf"));
        TokenizerTables tables = GgufTokenizer.Tables(file.Metadata)!;
        Assert.Equal((model, tokens, merges, tokens), (tables.Model, tables.Tokens.Count, tables.Merges.Count, tables.Types.Count));
    }

    private void Load() => Load(_gguf);

    private void Load(TestGguf gguf)
    {
        gguf.Write(_folder["x.gguf"]);
        using ModelFolder model = ModelFolder.Open(_folder["x.gguf"]);
        using IModelRunner runner = model.LoadRunner(new PlainBackend(), new RunnerOptions());
    }

    private void AssertRefused(string part) => AssertRefused(_gguf, part);

    private void AssertRefused(TestGguf gguf, string part) =>
        Assert.Contains(part, Assert.Throws<ModelLoadException>(() => Load(gguf)).Message, StringComparison.Ordinal);
}
