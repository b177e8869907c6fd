using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Core.Text;
using InferenceServer.Cpu;
using InferenceServer.Engine;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Running;
using InferenceServer.Options;
using InferenceServer.Text.Templates;
using InferenceServer.Text.Tokenizers;

namespace InferenceServer.Hosting;

/// <summary>Files to a model that answers: verify, open, load weights, start the engine, run one decode step.</summary>
internal static partial class ModelLoader
{
    /// <exception cref="StartupException">A sentence with a next step.</exception>
    public static async Task<LoadedModel> LoadAsync(ServedSource source, ServerOptions options, IEngineObserver? observer, ILogger logger, CancellationToken cancellation)
    {
        try
        {
            using ModelFolder folder = source.Open();
            ITokenizer tokenizer = OpenTokenizer(folder);
            IModelRunner runner = LoadRunner(folder, options, logger);
            EngineOptions engineOptions = EngineOptionsOf(options, runner.Limits);
            if (engineOptions.Validate(runner.Limits) is { Count: > 0 } errors)
                throw new StartupException($"{string.Join(' ', errors)} The flags are --max-waiting, --scheduler-max-waiting-tokens, --max-running and --tokens-per-step.");
            InferenceEngine engine = new(runner, engineOptions, TimeProvider.System, observer);
            LoadedModel model = new(Serve(source, options, folder, tokenizer, runner.Limits, engine), engine, runner);
            engine.Start();
            await WarmUpAsync(engine, cancellation);
            return model;
        }
        catch (ModelLoadException e)
        {
            throw new StartupException(e.Message, e);
        }
        catch (OutOfMemoryException e)
        {
            throw new StartupException("There is not enough memory for the weights and the KV pool. Lower --kv-memory, or serve a smaller model.", e);
        }
    }

    private static ITokenizer OpenTokenizer(ModelFolder folder) => folder.TokenizerPath is { } path
        ? TokenizerJson.Load(path)
        : throw new StartupException($"'{folder.Path}' has no tokenizer.json. Get it from the model's repository, or convert tokenizer.model with transformers' AutoTokenizer.save_pretrained.");

    private static IModelRunner LoadRunner(ModelFolder folder, ServerOptions options, ILogger logger)
    {
        CpuBackend backend = new(new InferenceServer.Cpu.CpuOptions { Threads = options.Cpu.Threads }, new HostSampler());
        try
        {
            MemoryEstimate memory = folder.Estimate();
            RunnerOptions runner = RunnerOptionsOf(folder, options, memory);
            Loading(logger, folder.Config.Architecture, memory.WeightBytes >> 20, runner.KvBytes >> 20, backend.Description);
            return folder.LoadRunner(backend, runner, new LoadLog(logger));
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    private static RunnerOptions RunnerOptionsOf(ModelFolder folder, ServerOptions options, MemoryEstimate memory)
    {
        // Eight full contexts let a small team work without preemption; a quarter of the memory leaves room for weights and others.
        int context = options.Model.ContextLength ?? folder.Config.NativeContext;
        long kvBytes = options.Kv.Memory ?? Math.Min(8 * memory.KvBytesPerToken * context, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);
        return new RunnerOptions
        {
            BlockSize = options.Kv.BlockSize,
            KvBytes = kvBytes,
            MaxTokensPerStep = options.Scheduler.TokensPerStep,
            MaxSequencesPerStep = options.Scheduler.MaxRunning,
            MaxRowsPerStep = options.Scheduler.MaxRunning,
            ContextLength = options.Model.ContextLength,
        };
    }

    private static EngineOptions EngineOptionsOf(ServerOptions options, RunnerLimits limits) => new()
    {
        TokensPerStep = limits.MaxTokensPerStep,
        MaxRunningSequences = limits.MaxSequencesPerStep,
        MaxWaitingRequests = options.Scheduler.MaxWaitingRequests,
        MaxWaitingTokens = options.Scheduler.MaxWaitingTokens,
        EnablePrefixCache = options.Kv.PrefixCache,
    };

    private static ServedModel Serve(ServedSource source, ServerOptions options, ModelFolder folder, ITokenizer tokenizer, RunnerLimits limits, IEngine engine)
    {
        Dictionary<string, string> tokens = [];
        if (folder.Tokenizer.BosText is { } bos) tokens["bos_token"] = bos;
        if (folder.Tokenizer.EosText is { } eos) tokens["eos_token"] = eos;
        return new ServedModel
        {
            Id = source.ServedId,
            Created = new DateTimeOffset(Directory.GetLastWriteTimeUtc(source.Folder)).ToUnixTimeSeconds(),
            Engine = engine,
            Tokenizer = tokenizer,
            Template = OpenTemplate(options, folder),
            TemplateTokens = tokens,
            ContextLength = limits.ContextLength,
            VocabularySize = limits.VocabularySize,
            EndTokens = folder.Generation.EosTokens,
            Defaults = DefaultsOf(folder.Generation),
        };
    }

    private static IChatTemplate? OpenTemplate(ServerOptions options, ModelFolder folder)
    {
        try
        {
            if (options.Model.ChatTemplate is { } file) return ChatTemplate.LoadFile(file);
            return folder.Tokenizer.ChatTemplate is { } text ? ChatTemplate.Parse(text, "chat_template") : null;
        }
        catch (ChatTemplateException e)
        {
            throw new StartupException($"The chat template cannot be used: {e.Message} Give another with --chat-template FILE.", e);
        }
    }

    private static SamplingParameters DefaultsOf(GenerationDefaults defaults) => defaults.DoSample == false
        ? new SamplingParameters { Temperature = 0, RepetitionPenalty = defaults.RepetitionPenalty ?? 1 }
        : new SamplingParameters
        {
            Temperature = defaults.Temperature ?? 1,
            TopP = defaults.TopP ?? 1,
            TopK = defaults.TopK ?? 0,
            RepetitionPenalty = defaults.RepetitionPenalty ?? 1,
        };

    /// <summary>A prompt and a decode step through the whole engine: /health must not promise what was never run.</summary>
    private static async Task WarmUpAsync(InferenceEngine engine, CancellationToken cancellation)
    {
        Submission submission = engine.Submit(new EngineRequest
        {
            RequestId = "warm-up",
            Tenant = "server",
            PromptTokens = [0],
            Sampling = new SamplingParameters { Temperature = 0 },
            MaxTokens = 2,
        });
        if (submission.Generation is not { } generation) throw new StartupException($"The first request was refused: {submission.Rejection!.Message}");
        await foreach (TokenEvent token in generation.Events.ReadAllAsync(cancellation))
        {
            if (token.Error is { } error) throw new StartupException($"The first step failed: {error}");
        }
    }

    /// <summary>A line a second while weights are read.</summary>
    private sealed class LoadLog(ILogger logger) : IProgress<LoadProgress>
    {
        private long _next = Stopwatch.GetTimestamp() + Stopwatch.Frequency;

        public void Report(LoadProgress value)
        {
            if (Stopwatch.GetTimestamp() < _next) return;
            _next = Stopwatch.GetTimestamp() + Stopwatch.Frequency;
            Progress(logger, value.BytesTotal == 0 ? 100 : 100 * value.BytesDone / value.BytesTotal, value.BytesDone >> 20, value.BytesTotal >> 20);
        }
    }

    [LoggerMessage(20, LogLevel.Information, "loading {Architecture}: {WeightsMb} MB of weights, KV pool of at most {KvMb} MB, on {Device}")]
    private static partial void Loading(ILogger logger, string architecture, long weightsMb, long kvMb, string device);

    [LoggerMessage(21, LogLevel.Information, "loading: {Percent} % ({DoneMb} of {TotalMb} MB)")]
    private static partial void Progress(ILogger logger, long percent, long doneMb, long totalMb);
}
