namespace InferenceServer.CpuBench.Model;

/// <summary>A model of a shape with random weights in one GGUF file. Equal weights in every format, up to rounding.</summary>
internal static class RandomModelFile
{
    public const int Seed = 1;

    private const int ChunkBytes = 16 << 20; // drawn by all cores, then written

    /// <summary>Written beside its name and moved there when whole: a broken run leaves no half file that a later one would take.</summary>
    public static void Write(string path, LlamaShape shape, WeightFormat format)
    {
        if (format.Encode is null) throw new BenchException($"{format} is not written here but by llama-quantize.");
        string partial = path + ".partial";
        using (FileStream stream = new(partial, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 20))
            Write(stream, shape, format);
        File.Move(partial, path, overwrite: true);
    }

    public static void Write(Stream stream, LlamaShape shape, WeightFormat format)
    {
        List<RandomTensorPlan> tensors = [.. shape.Tensors];
        using (GgufFileWriter writer = new(stream))
        {
            WriteMetadata(writer, shape, format, tensors.Count);
            long offset = 0;
            foreach (RandomTensorPlan tensor in tensors)
            {
                WeightFormat stored = tensor.IsVector ? WeightFormat.F32 : format;
                writer.Tensor(tensor.Name, tensor.Rows, tensor.Columns, stored.TensorType, offset);
                long bytes = (long)tensor.Rows * stored.RowBytes(tensor.Columns);
                offset += (bytes + GgufFileWriter.Alignment - 1) / GgufFileWriter.Alignment * GgufFileWriter.Alignment;
            }

            foreach (RandomTensorPlan tensor in tensors)
            {
                writer.Align();
                WriteTensor(stream, tensor, tensor.IsVector ? WeightFormat.F32 : format);
            }

            writer.Align();
        }
    }

    private static void WriteMetadata(GgufFileWriter writer, LlamaShape shape, WeightFormat format, int tensors)
    {
        MadeUpVocabulary vocabulary = new(shape.Vocabulary);
        List<Action<GgufFileWriter>> entries =
        [
            w => w.Entry("general.architecture", "llama"),
            w => w.Entry("general.name", shape.Name + " with random weights"),
            w => w.Entry("general.alignment", (uint)GgufFileWriter.Alignment),
            w => w.Entry("general.file_type", (uint)format.FileType),
            w => w.Entry("general.quantization_version", 2u),
            w => w.Entry("llama.vocab_size", (uint)shape.Vocabulary),
            w => w.Entry("llama.context_length", (uint)shape.Context),
            w => w.Entry("llama.embedding_length", (uint)shape.Hidden),
            w => w.Entry("llama.block_count", (uint)shape.Layers),
            w => w.Entry("llama.feed_forward_length", (uint)shape.Intermediate),
            w => w.Entry("llama.rope.dimension_count", (uint)shape.HeadDim),
            w => w.Entry("llama.rope.freq_base", LlamaShape.RopeBase),
            w => w.Entry("llama.attention.head_count", (uint)shape.Heads),
            w => w.Entry("llama.attention.head_count_kv", (uint)shape.KvHeads),
            w => w.Entry("llama.attention.layer_norm_rms_epsilon", LlamaShape.RmsEpsilon),
            w => w.Entry("tokenizer.ggml.model", "llama"),
            w => w.Entry("tokenizer.ggml.tokens", vocabulary.Tokens),
            w => w.Entry("tokenizer.ggml.scores", vocabulary.Scores),
            w => w.Entry("tokenizer.ggml.token_type", vocabulary.Types),
            w => w.Entry("tokenizer.ggml.unknown_token_id", (uint)MadeUpVocabulary.Unknown),
            w => w.Entry("tokenizer.ggml.bos_token_id", (uint)MadeUpVocabulary.Begin),
            w => w.Entry("tokenizer.ggml.eos_token_id", (uint)MadeUpVocabulary.End),
            w => w.Entry("tokenizer.ggml.add_bos_token", true),
            w => w.Entry("tokenizer.ggml.add_eos_token", false),
            w => w.Entry("tokenizer.ggml.add_space_prefix", true),
        ];
        writer.WriteHeader(tensors, entries.Count);
        foreach (Action<GgufFileWriter> entry in entries) entry(writer);
    }

    private static void WriteTensor(Stream stream, RandomTensorPlan tensor, WeightFormat format)
    {
        int rowBytes = format.RowBytes(tensor.Columns), rowsAtOnce = Math.Clamp(ChunkBytes / rowBytes, 1, tensor.Rows);
        byte[] chunk = new byte[rowsAtOnce * rowBytes];
        for (int first = 0; first < tensor.Rows; first += rowsAtOnce)
        {
            int rows = Math.Min(rowsAtOnce, tensor.Rows - first), begin = first;
            Parallel.For(0, rows, () => new float[tensor.Columns], (i, _, values) =>
            {
                tensor.DrawRow(begin + i, Seed, values);
                format.Encode!(values, chunk.AsSpan(i * rowBytes, rowBytes));
                return values;
            }, _ => { });
            stream.Write(chunk, 0, rows * rowBytes);
        }
    }
}
