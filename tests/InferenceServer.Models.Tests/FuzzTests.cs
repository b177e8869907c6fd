using System.Buffers.Binary;
using System.Text;
using InferenceServer.Core.Compute;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Files;
using InferenceServer.Models.Manifest;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests;

/// <summary>Thousands of damaged files: each opens or is a <see cref="ModelLoadException"/>, in bounded memory, and what opens can be read whole.</summary>
public sealed class FuzzTests : IDisposable
{
    private const int MaxAllocated = 8 << 20;

    private readonly TemporaryFolder _folder = new();
    private int _refused;
    private int _opened;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Damaged_safetensors_headers(int seed)
    {
        byte[] original = File.ReadAllBytes(TestFiles.Shared("tiny-models", "stories260K", "derived", "hf", "model.safetensors"));
        int headerEnd = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(original);
        string path = _folder["fuzz.safetensors"];
        File.WriteAllBytes(path, original);
        Random random = new(seed);
        for (int round = 0; round < 5000; round++)
        {
            byte[] header = original[..headerEnd];
            Damage(header, random);
            using (FileStream stream = new(path, FileMode.Open, FileAccess.Write))
            {
                stream.Write(header);
                stream.SetLength(random.Next(10) == 0 ? random.Next(original.Length) : original.Length);
            }

            Try($"seed {seed}, round {round}", () => ReadAll(path));
        }

        Assert.True(_refused > 1000 && _opened > 10, $"refused {_refused}, opened {_opened}: the fuzz does not reach both sides");
    }

    [Fact]
    public void Damaged_configs()
    {
        byte[] original = Encoding.UTF8.GetBytes(
            """
            {"architectures":["Qwen2ForCausalLM"],"hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":8,
            "num_key_value_heads":4,"vocab_size":512,"max_position_embeddings":512,"rope_theta":10000.0,"eos_token_id":[2,1],"sliding_window":40,
            "rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64},
            "layer_types":["full_attention","full_attention","full_attention","full_attention","full_attention"],"rms_norm_eps":1e-05}
            """);
        string path = _folder["config.json"];
        Random random = new(3);
        for (int round = 0; round < 5000; round++)
        {
            byte[] bytes = [.. original];
            Damage(bytes, random);
            File.WriteAllBytes(path, bytes);
            Try($"round {round}", () => RunnerSizing.Compute(ConfigReader.Read(path), new RunnerOptions()));
        }

        Assert.True(_refused > 1000 && _opened > 10, $"refused {_refused}, opened {_opened}: the fuzz does not reach both sides");
    }

    [Fact]
    public void Damaged_manifests()
    {
        byte[] original = Encoding.UTF8.GetBytes(
            """
            {"id":"x","name":"X","description":"d","source":{"kind":"builtin","detail":"d"},"licence":"MIT","architecture":"LlamaForCausalLM",
            "parameters":12,"contextLength":2048,"folder":"demo","files":[{"path":"a/b.json","bytes":659,
            "sha256":"d07f82ae220913191b910cbfb12bd886fd85ada882a11b89c3c5114108cf196f"}],"price":{"currency":"USD","inputPerMillionTokens":0.5,
            "cachedInputPerMillionTokens":0,"outputPerMillionTokens":1},"goldens":{"file":"demo/golden.jsonl","minimumShare":0.5}}
            """);
        string path = _folder["x.json"];
        Random random = new(4);
        for (int round = 0; round < 5000; round++)
        {
            byte[] bytes = [.. original];
            Damage(bytes, random);
            File.WriteAllBytes(path, bytes);
            Try($"round {round}", () => ManifestReader.Read(path));
        }

        Assert.True(_refused > 1000 && _opened > 10, $"refused {_refused}, opened {_opened}: the fuzz does not reach both sides");
    }

    private void Try(string round, Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            action();
            _opened++;
        }
        catch (ModelLoadException e)
        {
            _refused++;
            Assert.True(e.Message.Length is > 20 and < 10_000, $"{round}: not a sentence: {e.Message}");
        }
        catch (Exception e)
        {
            Assert.Fail($"{round}: {e}");
        }

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MaxAllocated, $"{round}: too much memory");
    }

    private static void ReadAll(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (HostTensor tensor in file.Tensors.Values)
            if (tensor.Rows > 0) _ = tensor.Row(tensor.Rows - 1).ToArray();
    }

    /// <summary>One to three of: any byte, a digit for a digit, a piece copied elsewhere, a blanked piece, a swapped piece.</summary>
    private static void Damage(Span<byte> bytes, Random random)
    {
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            int at = random.Next(bytes.Length), length = Math.Min(random.Next(1, 12), bytes.Length - at), from = random.Next(bytes.Length - length + 1);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: ReplaceDigit(bytes, at, random); break;
                case 2: bytes.Slice(from, length).CopyTo(bytes[at..]); break;
                case 3: bytes.Slice(at, length).Fill((byte)' '); break;
                default: bytes.Slice(at, length).Reverse(); break;
            }
        }
    }

    private static void ReplaceDigit(Span<byte> bytes, int at, Random random)
    {
        int digit = bytes[at..].IndexOfAnyInRange((byte)'0', (byte)'9');
        if (digit >= 0) bytes[at + digit] = (byte)('0' + random.Next(10));
    }
}
