using System.Globalization;
using InferenceServer.Cpu;

namespace InferenceServer.Options;

/// <summary>One option: its path names the flag and the environment variable, so that it is called the same everywhere.</summary>
/// <param name="Path">"Kv.BlockSize".</param>
/// <param name="Alias">A shorter flag for what is typed daily, such as --port for --http-port.</param>
/// <param name="Value">What stands for the value in --help.</param>
/// <param name="Help">One sentence; ends with the default.</param>
/// <param name="Apply">Sets it, or throws a <see cref="FormatException"/> whose message says what was expected.</param>
internal sealed record OptionSpec(string Path, string? Alias, string Value, string Help, Func<ServerOptions, string, ServerOptions> Apply)
{
    /// <summary>--kv-block-size.</summary>
    public string Flag { get; } = "--" + string.Concat(Path.Select((c, i) =>
        c == '.' ? "-" : char.IsUpper(c) && i > 0 && Path[i - 1] != '.' ? "-" + char.ToLowerInvariant(c) : char.ToLowerInvariant(c).ToString()));

    /// <summary>InferenceServer__Kv__BlockSize.</summary>
    public string EnvironmentVariable { get; } = "InferenceServer__" + Path.Replace(".", "__", StringComparison.Ordinal);
}

/// <summary>
/// The list of all options. To add one: a property in <see cref="ServerOptions"/>, a line here, a rule in <see cref="OptionRules"/>.
/// </summary>
internal static class OptionCatalog
{
    public static IReadOnlyList<OptionSpec> All { get; } =
    [
        new("Model.Path", "--model", "ID|PATH", "Model to serve: an id of models-manifest, a Hugging Face folder or a GGUF file. Default: demo, built in.",
            (o, v) => o with { Model = o.Model with { Path = v } }),
        new("Model.ServedName", "--served-model-name", "ID", "Id under which it is served. Default: the folder's or file's name.",
            (o, v) => o with { Model = o.Model with { ServedName = v } }),
        new("Model.ManifestFolder", "--manifest", "FOLDER", "Where the manifests are. Default: models-manifest beside the program or above the working directory.",
            (o, v) => o with { Model = o.Model with { ManifestFolder = v } }),
        new("Model.ChatTemplate", "--chat-template", "FILE", "Chat template to use instead of the model's own.",
            (o, v) => o with { Model = o.Model with { ChatTemplate = v } }),
        new("Model.ContextLength", "--context-length", "TOKENS", "Prompt plus completion. Default: what the model was made for.",
            (o, v) => o with { Model = o.Model with { ContextLength = Int(v) } }),
        new("Model.Device", "--device", "auto|cpu|cuda[:N]", "Where it runs; auto takes GPU 0 if it can be used. Default: auto.",
            (o, v) => o with { Model = o.Model with { Device = v } }),
        new("Http.Host", "--host", "ADDRESS", "Address to listen on. Default: 127.0.0.1; others need an API key.",
            (o, v) => o with { Http = o.Http with { Host = v } }),
        new("Http.Port", "--port", "PORT", "HTTP port; 0 takes any free one. Default: 8080.",
            (o, v) => o with { Http = o.Http with { Port = Int(v) } }),
        new("Http.MaxBodyBytes", null, "BYTES", "Larger requests are refused. Default: 32M.",
            (o, v) => o with { Http = o.Http with { MaxBodyBytes = Bytes(v) } }),
        new("Http.MaxMessages", null, "COUNT", "More messages in a conversation are refused. Default: 4096.",
            (o, v) => o with { Http = o.Http with { MaxMessages = Int(v) } }),
        new("Http.MaxChoices", null, "COUNT", "More choices (n) are refused. Default: 128.",
            (o, v) => o with { Http = o.Http with { MaxChoices = Int(v) } }),
        new("Http.RequestTimeoutSeconds", "--request-timeout", "SECONDS", "Requests that take longer end with an error; 0 is no limit. Default: 0.",
            (o, v) => o with { Http = o.Http with { RequestTimeoutSeconds = Int(v) } }),
        new("Http.DrainSeconds", "--drain-seconds", "SECONDS", "How long running requests may go on after SIGTERM. Default: 30.",
            (o, v) => o with { Http = o.Http with { DrainSeconds = Int(v) } }),
        new("Grpc.Enabled", "--grpc", "true|false", "Serve gRPC. Default: true.",
            (o, v) => o with { Grpc = o.Grpc with { Enabled = Bool(v) } }),
        new("Grpc.Port", null, "PORT", "gRPC port; 0 takes any free one. Default: 8081.",
            (o, v) => o with { Grpc = o.Grpc with { Port = Int(v) } }),
        new("Grpc.Reflection", null, "true|false", "Let gRPC clients list the services. Default: true.",
            (o, v) => o with { Grpc = o.Grpc with { Reflection = Bool(v) } }),
        new("Auth.ApiKeys", "--api-key", "KEY", "A key that may ask; give it several times or separated by commas for several. Default: none, loopback only.",
            (o, v) => o with { Auth = o.Auth with { ApiKeys = [.. o.Auth.ApiKeys, .. v.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)] } }),
        new("Auth.ApiKeyFile", "--api-key-file", "FILE", "Keys that may ask, one a line.",
            (o, v) => o with { Auth = o.Auth with { ApiKeyFile = v } }),
        new("Kv.BlockSize", null, "TOKENS", "Tokens in a block of the KV pool. Default: 16.",
            (o, v) => o with { Kv = o.Kv with { BlockSize = Int(v) } }),
        new("Kv.Memory", null, "BYTES", "Size of the KV pool, such as 512M or 4G. Default: eight full contexts, at most a quarter of the memory; on a GPU what --gpu-memory leaves.",
            (o, v) => o with { Kv = o.Kv with { Memory = Bytes(v) } }),
        new("Kv.Type", null, "f32|bf16|q8", "How keys and values are stored on a CPU: 4, 2 or about 1 byte a number; a GPU takes the type it computes in. Default: f32.",
            (o, v) => o with { Kv = o.Kv with { Type = KvTypeOf(v) } }),
        new("Kv.PrefixCache", "--prefix-cache", "true|false", "Reuse the blocks of equal prompt beginnings. Default: true.",
            (o, v) => o with { Kv = o.Kv with { PrefixCache = Bool(v) } }),
        new("Scheduler.TokensPerStep", "--tokens-per-step", "TOKENS", "Most tokens computed in one step. Default: 512 on a CPU, 2048 on a GPU, and no less than --max-running.",
            (o, v) => o with { Scheduler = o.Scheduler with { TokensPerStep = Int(v) } }),
        new("Scheduler.DecodeSlowdown", "--decode-slowdown", "FACTOR", "How many times longer a step may take by prompts beside running streams (more where more requests wait for a first token than run); 0 is no limit. Default: 1.6 on a CPU, 0 on a GPU.",
            (o, v) => o with { Scheduler = o.Scheduler with { DecodeSlowdown = Number(v) } }),
        new("Scheduler.MaxRunning", "--max-running", "COUNT", "Most sequences that run at once. Default: 256.",
            (o, v) => o with { Scheduler = o.Scheduler with { MaxRunning = Int(v) } }),
        new("Scheduler.MaxWaitingRequests", "--max-waiting", "COUNT", "Requests that may queue before new ones get 503. Default: 2048.",
            (o, v) => o with { Scheduler = o.Scheduler with { MaxWaitingRequests = Int(v) } }),
        new("Scheduler.MaxWaitingTokens", null, "TOKENS", "Prompt tokens that may queue before new requests get 503. Default: 4000000.",
            (o, v) => o with { Scheduler = o.Scheduler with { MaxWaitingTokens = Long(v) } }),
        new("Cpu.Threads", "--threads", "COUNT", "Threads of the CPU backend; 0 takes one for each core (not hyper-thread) the process may use, a container's limit counted. Default: 0.",
            (o, v) => o with { Cpu = o.Cpu with { Threads = Int(v) } }),
        new("Cpu.Weights", "--weights", "as-stored|f32|bf16|q8|q4", "What float weights become at load on a CPU: q8 takes 8.5 bits a weight, q4 4.5 (embedding and head as q8); quantized files stay as they are, but for f32. Default: as-stored.",
            (o, v) => o with { Cpu = o.Cpu with { Weights = WeightsOf(v) } }),
        new("Cpu.WeightsCache", "--weights-cache", "FOLDER", "Keep weights there as the CPU's kernels want them, about as large as the model in memory; later starts map the file instead of repacking. Delete files at will. Default: none.",
            (o, v) => o with { Cpu = o.Cpu with { WeightsCache = v } }),
        new("Gpu.Memory", null, "BYTES|SHARE", "What may be taken of the GPU's memory, such as 40G or 0.8; weights and buffers come first, the KV pool gets the rest. Default: 0.9.",
            (o, v) => o with { Gpu = o.Gpu with { Memory = BytesOrShare(v) } }),
    ];

    private static int Int(string value) => int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
        ? number : throw new FormatException("a whole number is expected");

    private static long Long(string value) => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
        ? number : throw new FormatException("a whole number is expected");

    private static double Number(string value) => double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
        ? number : throw new FormatException("a number such as 2 or 1.5 is expected");

    private static bool Bool(string value) => bool.TryParse(value, out bool flag) ? flag : throw new FormatException("true or false is expected");

    private static KvType KvTypeOf(string value) => value switch
    {
        "f32" => KvType.F32,
        "bf16" => KvType.BF16,
        "q8" => KvType.Q8,
        _ => throw new FormatException("f32, bf16 or q8 is expected"),
    };

    private static WeightPrecision WeightsOf(string value) => value switch
    {
        "as-stored" => WeightPrecision.AsStored,
        "f32" => WeightPrecision.F32,
        "bf16" => WeightPrecision.BF16,
        "q8" => WeightPrecision.Q8,
        "q4" => WeightPrecision.Q4,
        _ => throw new FormatException("as-stored, f32, bf16, q8 or q4 is expected"),
    };

    private static double BytesOrShare(string value) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double share) && share <= 1 ? share : Bytes(value);

    private static long Bytes(string value)
    {
        int shift = value.Length == 0 ? 0 : char.ToUpperInvariant(value[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        ReadOnlySpan<char> digits = shift == 0 ? value : value.AsSpan(0, value.Length - 1);
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= long.MaxValue >> shift
            ? number << shift : throw new FormatException("a number of bytes such as 1048576, 512M or 4G is expected");
    }
}
