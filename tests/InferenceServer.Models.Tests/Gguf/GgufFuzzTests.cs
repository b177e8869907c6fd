using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Files;
using InferenceServer.Models.Files.Gguf;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests.Gguf;

/// <summary>Thousands of damaged GGUF models: each loads or is a <see cref="ModelLoadException"/>, in bounded memory and time.</summary>
public sealed class GgufFuzzTests : IDisposable
{
    private const int Rounds = 4000;
    private const int MaxAllocated = 16 << 20; // a tiny model widened, its KV pool and its activations take some 2 MB

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1, "LlamaForCausalLM")]
    [InlineData(2, "LlamaForCausalLM")]
    [InlineData(3, "Qwen3ForCausalLM")]
    public void Damaged_headers(int seed, string architecture)
    {
        TinyModel tiny = new(architecture, qkNorm: architecture[0] == 'Q');
        byte[] original = TestConversion.Convert(tiny)
            .Set("tokenizer.ggml.model", "llama")
            .Set("tokenizer.ggml.tokens", Enumerable.Range(0, TinyModel.Vocabulary).Select(i => $"t{i}").ToArray())
            .Set("tokenizer.ggml.scores", new float[TinyModel.Vocabulary])
            .Set("tokenizer.ggml.token_type", new int[TinyModel.Vocabulary])
            .Set("tokenizer.chat_template", "{{ messages }}").ToBytes();
        int headerEnd = original.AsSpan().LastIndexOf("output.weight"u8) + 60;
        string path = _folder["fuzz.gguf"];
        Random random = new(seed);
        int refused = 0, loaded = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] bytes = [.. original];
            Damage(bytes.AsSpan(0, headerEnd), random);
            File.WriteAllBytes(path, random.Next(10) == 0 ? bytes[..random.Next(1, bytes.Length)] : bytes);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Load(path);
                loaded++;
            }
            catch (ModelLoadException e)
            {
                refused++;
                Assert.True(e.Message.Length is > 20 and < 10_000, $"seed {seed}, round {round}: not a sentence: {e.Message}");
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}, round {round}: {e}");
            }

            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MaxAllocated, $"seed {seed}, round {round}: too much memory");
        }

        Assert.True(refused > Rounds / 4 && loaded > Rounds / 20, $"refused {refused}, loaded {loaded}: the fuzz does not reach both sides");
    }

    private static void Load(string path)
    {
        using ModelFolder model = ModelFolder.Open(path);
        using IModelRunner runner = model.LoadRunner(
            new CountingBackend(), new RunnerOptions { BlockSize = 4, KvBytes = 1 << 20, MaxSequencesPerStep = 1, MaxTokensPerStep = 4, MaxRowsPerStep = 4 });
        using WeightFiles weights = GgufWeights.Of(GgufParts.Open(path), model.Config);
        foreach (HostTensor tensor in weights.Tensors.Values)
            for (long row = 0; row < tensor.Rows; row++) Assert.Equal(tensor.Type.RowBytes(tensor.Columns), tensor.Row(row).Length);
    }

    /// <summary>One to three of: any byte, a bit, a piece copied elsewhere, a piece of zeros or ones, a swapped piece.</summary>
    private static void Damage(Span<byte> bytes, Random random)
    {
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            int at = random.Next(bytes.Length), length = Math.Min(random.Next(1, 12), bytes.Length - at), from = random.Next(bytes.Length - length + 1);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.Slice(from, length).CopyTo(bytes[at..]); break;
                case 3: bytes.Slice(at, length).Fill(random.Next(2) == 0 ? (byte)0 : (byte)0xff); break;
                default: bytes.Slice(at, length).Reverse(); break;
            }
        }
    }
}
