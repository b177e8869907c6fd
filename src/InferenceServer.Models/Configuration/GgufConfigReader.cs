using InferenceServer.Core.Compute;
using InferenceServer.Core.Text;
using InferenceServer.Models.Files.Gguf;

namespace InferenceServer.Models.Configuration;

/// <summary>A GGUF file's metadata to <see cref="ModelConfig"/>, within the same bounds as config.json's.</summary>
internal static class GgufConfigReader
{
    /// <summary>Keys that change the computation in a way that is not computed; 0 and "false" are their idle values.</summary>
    private static readonly string[] Unsupported =
    [
        "expert_count", "expert_used_count", "attention.clamp_kqv", "attention.max_alibi_bias", "attention.scale", "attention.temperature_scale",
        "attention.sliding_window_pattern", "attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "residual_scale", "embedding_scale",
        "rope.scaling.attn_factor", "rope.scaling.alpha", "use_parallel_residual",
    ];

    /// <exception cref="ModelLoadException">Names the key or tensor, its value and what was expected.</exception>
    public static ModelConfig Read(GgufMetadata metadata, IReadOnlyDictionary<string, HostTensor> tensors, TokenizerTables? tokenizer)
    {
        string architecture = GgufArchitecture.Read(metadata), prefix = architecture + ".";
        RefuseUnsupported(metadata, prefix);
        int hidden = metadata.Int(prefix + "embedding_length", 1, ConfigReader.MaxWidth);
        int heads = metadata.Int(prefix + "attention.head_count", 1, ConfigReader.MaxHeads);
        int kvHeads = metadata.IntOrNull(prefix + "attention.head_count_kv", 1, ConfigReader.MaxHeads) ?? heads;
        if (heads % kvHeads != 0) throw metadata.Wrong(prefix + "attention.head_count_kv", $"a divisor of attention.head_count = {heads}");
        int headDim = ReadHeadDim(metadata, prefix, hidden, heads);
        int context = metadata.Int(prefix + "context_length", 1, ConfigReader.MaxContext);
        int vocabulary = ReadVocabulary(metadata, prefix, tensors);
        int window = ReadWindow(metadata, prefix, context);
        return new ModelConfig
        {
            Architecture = GgufArchitecture.ClassName(architecture, window),
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = metadata.Int(prefix + "feed_forward_length", 1, ConfigReader.MaxWidth),
            Layers = metadata.Int(prefix + "block_count", 1, ConfigReader.MaxLayers),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            MaxPositions = context,
            NormEpsilon = (float)metadata.Number(prefix + "attention.layer_norm_rms_epsilon", 0, 1),
            RopeTheta = ReadTheta(metadata, prefix),
            RopeScaling = GgufRope.Scaling(metadata, prefix, headDim, architecture == "llama" ? tensors.GetValueOrDefault(GgufTensorNames.RopeFactors) : null),
            TiedEmbeddings = !tensors.ContainsKey(GgufTensorNames.Head),
            AttentionBias = tensors.ContainsKey("blk.0.attn_q.bias"),
            SlidingWindow = window,
            BosToken = metadata.IntOrNull(GgufTokenizer.BosKey, 0, vocabulary - 1),
            EosTokens = GgufTokenizer.EndTokens(metadata, tokenizer, vocabulary),
        };
    }

    private static void RefuseUnsupported(GgufMetadata metadata, string prefix)
    {
        foreach (string name in Unsupported)
        {
            string key = prefix + name;
            if (metadata.Has(key) && !metadata.IsIdle(key)) throw metadata.Wrong(key, "none, for it is not computed; this model cannot be served");
        }

        if (metadata.BoolOrNull(prefix + "attention.causal") == false) throw metadata.Wrong(prefix + "attention.causal", "true: only models that generate text are served");
    }

    private static int ReadHeadDim(GgufMetadata metadata, string prefix, int hidden, int heads)
    {
        string key = prefix + "attention.key_length";
        int? written = metadata.IntOrNull(key, 1, ConfigReader.MaxHeadDim);
        if (written is null && hidden % heads != 0) throw metadata.Wrong(prefix + "embedding_length", $"a multiple of attention.head_count = {heads}, as attention.key_length is not given");
        int headDim = written ?? hidden / heads;
        if (headDim % 2 != 0 || headDim > ConfigReader.MaxHeadDim) throw metadata.Wrong(key, $"an even number up to {ConfigReader.MaxHeadDim}, as pairs of dimensions rotate");
        if ((metadata.IntOrNull(prefix + "attention.value_length", 1, ConfigReader.MaxHeadDim) ?? headDim) != headDim)
            throw metadata.Wrong(prefix + "attention.value_length", $"{headDim}, as long as a key");
        if ((metadata.IntOrNull(prefix + "rope.dimension_count", 1, ConfigReader.MaxHeadDim) ?? headDim) != headDim)
            throw metadata.Wrong(prefix + "rope.dimension_count", $"{headDim} (whole heads rotate)");
        return headDim;
    }

    /// <summary>The rows of the embedding: vocab_size is not always written, and some vocabularies are padded.</summary>
    private static int ReadVocabulary(GgufMetadata metadata, string prefix, IReadOnlyDictionary<string, HostTensor> tensors)
    {
        if (!tensors.TryGetValue(GgufTensorNames.Embedding, out HostTensor? embedding))
            throw new ModelLoadException($"'{metadata.Path}' lacks tensor '{GgufTensorNames.Embedding}'; a file with a vocabulary or an adapter alone is no model. Get the file with the weights.");
        if (embedding.Rows > ConfigReader.MaxVocabulary)
            throw new ModelLoadException($"'{metadata.Path}': tensor '{embedding.Name}' has {embedding.Rows} rows; expected a vocabulary of at most {ConfigReader.MaxVocabulary}.");
        int rows = (int)embedding.Rows;
        string key = prefix + "vocab_size";
        return (metadata.IntOrNull(key, 1, ConfigReader.MaxVocabulary) ?? rows) == rows ? rows : throw metadata.Wrong(key, $"{rows}, the rows of '{embedding.Name}'");
    }

    /// <summary>A window at least as long as the context changes nothing. Which layers of a Qwen slide cannot be told from its file.</summary>
    private static int ReadWindow(GgufMetadata metadata, string prefix, int context)
    {
        string key = prefix + "attention.sliding_window";
        int window = metadata.IntOrNull(key, 0, int.MaxValue) ?? 0;
        if (window == 0 || window >= context) return 0;
        return prefix == "llama." ? window : throw metadata.Wrong(key, $"0, or at least the context_length of {context}");
    }

    private static double ReadTheta(GgufMetadata metadata, string prefix)
    {
        string key = prefix + "rope.freq_base";
        double theta = metadata.NumberOrNull(key, 1, RopeReader.MaxTheta) ?? RopeReader.DefaultTheta;
        return theta > 1 ? theta : throw metadata.Wrong(key, "a number above 1");
    }
}
