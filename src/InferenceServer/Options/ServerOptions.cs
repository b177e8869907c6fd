using InferenceServer.Cpu;

namespace InferenceServer.Options;

/// <summary>
/// Everything that can be set, immutable after start. One name everywhere: <c>Kv.Memory</c> is <c>--kv-memory</c> on the command line
/// and <c>InferenceServer__Kv__Memory</c> in the environment. See <see cref="OptionCatalog"/> for the list with texts and defaults.
/// </summary>
internal sealed record ServerOptions
{
    public ModelOptions Model { get; init; } = new();

    public HttpOptions Http { get; init; } = new();

    public GrpcOptions Grpc { get; init; } = new();

    public AuthOptions Auth { get; init; } = new();

    public KvOptions Kv { get; init; } = new();

    public SchedulerOptions Scheduler { get; init; } = new();

    public CpuOptions Cpu { get; init; } = new();

    public GpuOptions Gpu { get; init; } = new();
}

internal sealed record ModelOptions
{
    /// <summary>"demo" for the built-in model, an id of models-manifest, a Hugging Face folder, or a GGUF file.</summary>
    public string Path { get; init; } = "demo";

    /// <summary>The id in /v1/models; null takes the folder's or file's name.</summary>
    public string? ServedName { get; init; }

    /// <summary>Where the manifests are; null finds models-manifest beside the program or above the working directory.</summary>
    public string? ManifestFolder { get; init; }

    /// <summary>A .jinja file that replaces the model's own chat template.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Prompt plus completion; null takes the model's own.</summary>
    public int? ContextLength { get; init; }

    /// <summary>"auto", "cpu", "cuda" or "cuda:1"; see <see cref="DeviceName"/>.</summary>
    public string Device { get; init; } = "auto";
}

internal sealed record HttpOptions
{
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>Larger request bodies are a 413. 32 MB holds a million-token prompt as text.</summary>
    public long MaxBodyBytes { get; init; } = 32 << 20;

    /// <summary>More messages in one conversation are a 400.</summary>
    public int MaxMessages { get; init; } = 4096;

    /// <summary>More choices (n) are a 400.</summary>
    public int MaxChoices { get; init; } = 128;

    /// <summary>Requests that take longer end with a deadline error; 0 is no limit.</summary>
    public int RequestTimeoutSeconds { get; init; }

    /// <summary>After SIGTERM, running requests get this long to finish.</summary>
    public int DrainSeconds { get; init; } = 30;
}

internal sealed record GrpcOptions
{
    public bool Enabled { get; init; } = true;

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; } = 8081;

    public bool Reflection { get; init; } = true;
}

internal sealed record AuthOptions
{
    /// <summary>Keys that may ask. None: anyone on this machine may, and the server listens on loopback only.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>One key a line; empty lines and lines starting with # are skipped.</summary>
    public string? ApiKeyFile { get; init; }
}

internal sealed record KvOptions
{
    public int BlockSize { get; init; } = 16;

    /// <summary>Bytes of the KV pool, such as 512M or 4G; null takes what the device's own rule leaves it.</summary>
    public long? Memory { get; init; }

    public bool PrefixCache { get; init; } = true;

    /// <summary>How keys and values are stored; null takes what suits the device.</summary>
    public KvType? Type { get; init; }
}

internal sealed record SchedulerOptions
{
    /// <summary>Tokens computed in one step, decodes and prompt chunks together; null takes what suits the device.</summary>
    public int? TokensPerStep { get; init; }

    /// <summary>How many times longer a step may take by prompts beside running streams, 0 for no limit; null takes what suits the device.</summary>
    public double? DecodeSlowdown { get; init; }

    public int MaxRunning { get; init; } = 256;

    public int MaxWaitingRequests { get; init; } = 2048;

    public long MaxWaitingTokens { get; init; } = 4_000_000;
}

internal sealed record CpuOptions
{
    /// <summary>0 takes one for each core that the process may use.</summary>
    public int Threads { get; init; }

    /// <summary>What float weights become at load.</summary>
    public WeightPrecision Weights { get; init; }

    /// <summary>A folder for repacked weights; null repacks them at each start.</summary>
    public string? WeightsCache { get; init; }
}

internal sealed record GpuOptions
{
    /// <summary>What the server may take of the GPU's memory: up to 1 a share of it all, above 1 bytes. Null takes 0.9.</summary>
    public double? Memory { get; init; }
}
