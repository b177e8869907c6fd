using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace InferenceServer.Options;

/// <summary>What every option must satisfy. All errors come at once, each a sentence with the flag that mends it.</summary>
internal static class OptionRules
{
    public static IReadOnlyList<string> Check(ServerOptions options)
    {
        List<string> errors = [];
        Range(errors, "--port", options.Http.Port, 0, 65535);
        Range(errors, "--grpc-port", options.Grpc.Port, 0, 65535);
        Range(errors, "--http-max-body-bytes", options.Http.MaxBodyBytes, 1024, 1L << 31);
        Range(errors, "--http-max-messages", options.Http.MaxMessages, 1, 1 << 20);
        Range(errors, "--http-max-choices", options.Http.MaxChoices, 1, 1024);
        Range(errors, "--request-timeout", options.Http.RequestTimeoutSeconds, 0, 86_400);
        Range(errors, "--drain-seconds", options.Http.DrainSeconds, 0, 3600);
        if (options.Scheduler.TokensPerStep is { } tokens) Range(errors, "--tokens-per-step", tokens, 16, 1 << 16);
        if (options.Scheduler.DecodeSlowdown is { } slowdown and not 0 and not (> 1 and <= 1000))
            errors.Add($"--decode-slowdown is {slowdown}; more than 1 and at most 1000 is expected, or 0 for no limit.");
        Range(errors, "--max-running", options.Scheduler.MaxRunning, 1, 4096);
        Range(errors, "--max-waiting", options.Scheduler.MaxWaitingRequests, 1, 1 << 20);
        Range(errors, "--scheduler-max-waiting-tokens", options.Scheduler.MaxWaitingTokens, 1, long.MaxValue);
        Range(errors, "--threads", options.Cpu.Threads, 0, 1024);
        if (options.Model.ContextLength is { } context) Range(errors, "--context-length", context, 16, 1 << 24);
        if (options.Kv.Memory is { } memory) Range(errors, "--kv-memory", memory, 1 << 16, long.MaxValue);
        if (options.Kv.BlockSize is not (8 or 16 or 32 or 64 or 128)) errors.Add($"--kv-block-size is {options.Kv.BlockSize}; it must be 8, 16, 32, 64 or 128.");
        if (options.Scheduler.MaxRunning > options.Scheduler.TokensPerStep)
            errors.Add($"--max-running ({options.Scheduler.MaxRunning}) is above --tokens-per-step ({options.Scheduler.TokensPerStep}): every running sequence needs a token of each step.");
        if (!DeviceName.TryParse(options.Model.Device, out _))
            errors.Add($"--device is '{options.Model.Device}'; expected auto, cpu, cuda or a numbered GPU such as cuda:1.");
        if (options.Gpu.Memory is <= 0 or (> 1 and < 1 << 20))
            errors.Add($"--gpu-memory is {options.Gpu.Memory}; a share up to 1 such as 0.8, or bytes such as 40G are expected.");
        if (options.Grpc.Enabled && options.Http.Port != 0 && options.Http.Port == options.Grpc.Port)
            errors.Add($"--port and --grpc-port are both {options.Http.Port}; cleartext HTTP/1.1 and gRPC cannot share a port.");
        CheckHost(errors, options);
        CheckKeys(errors, options.Auth);
        return errors;
    }

    private static void CheckHost(List<string> errors, ServerOptions options)
    {
        if (!TryParseHost(options.Http.Host, out IPAddress? address))
            errors.Add($"--host is '{options.Http.Host}'; an IP address, localhost or * is expected.");
        else if (!IPAddress.IsLoopback(address) && options.Auth.ApiKeys.Count == 0 && options.Auth.ApiKeyFile is null)
            errors.Add($"--host {options.Http.Host} can be reached from other machines, but no API key is set. Add --api-key KEY (or --api-key-file FILE), or listen on 127.0.0.1.");
    }

    private static void CheckKeys(List<string> errors, AuthOptions auth)
    {
        foreach (string key in auth.ApiKeys)
        {
            if (key.Length < 8) errors.Add("--api-key: a key has fewer than 8 characters; use a longer one, such as the output of 'openssl rand -hex 24'.");
        }

        if (auth.ApiKeyFile is { } file && !File.Exists(file)) errors.Add($"--api-key-file: there is no file '{file}'.");
    }

    /// <summary>"localhost" is loopback, "*" is every interface.</summary>
    public static bool TryParseHost(string host, [NotNullWhen(true)] out IPAddress? address)
    {
        address = host switch { "localhost" => IPAddress.Loopback, "*" => IPAddress.Any, _ => null };
        return address is not null || IPAddress.TryParse(host, out address);
    }

    private static void Range(List<string> errors, string flag, long value, long low, long high)
    {
        if (value < low || value > high) errors.Add($"{flag} is {value}; it must be {(high == long.MaxValue ? $"at least {low}" : $"between {low} and {high}")}.");
    }
}
