using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Core.Text;
using InferenceServer.Engine;
using InferenceServer.Hosting.Devices;
using InferenceServer.Models;
using InferenceServer.Models.Configuration;
using InferenceServer.Options;
using InferenceServer.Text.Templates;
using InferenceServer.Text.Tokenizers;

namespace InferenceServer.Hosting;

/// <summary>Files to a model that answers: verify, open, load weights, start the engine, run one decode step.</summary>
internal static class ModelLoader
{
    /// <exception cref="StartupException">A sentence with a next step.</exception>
    public static async Task<LoadedModel> LoadAsync(
        ServedSource source, ServerOptions options, IModelDevice device, IEngineObserver? observer, ILogger logger, CancellationToken cancellation)
    {
        try
        {
            using ModelFolder folder = source.Open();
            ITokenizer tokenizer = OpenTokenizer(folder);
            IModelRunner runner = device.LoadRunner(folder, options, logger);
            return await StartAsync(source, options, device, folder, tokenizer, runner, observer, cancellation);
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

    /// <summary>The engine over a runner, which it owns from here on.</summary>
    private static async Task<LoadedModel> StartAsync(
        ServedSource source, ServerOptions options, IModelDevice device, ModelFolder folder, ITokenizer tokenizer, IModelRunner runner, IEngineObserver? observer, CancellationToken cancellation)
    {
        InferenceEngine? engine = null;
        try
        {
            EngineOptions engineOptions = EngineOptionsOf(options, device, runner.Limits);
            if (engineOptions.Validate(runner.Limits) is { Count: > 0 } errors)
                throw new StartupException($"{string.Join(' ', errors)} The flags are --max-waiting, --scheduler-max-waiting-tokens, --max-running, --tokens-per-step and --decode-slowdown.");
            engine = new InferenceEngine(runner, engineOptions, TimeProvider.System, observer);
            LoadedModel model = new(Serve(source, options, folder, tokenizer, runner.Limits, engine), engine, runner);
            engine.Start();
            await WarmUpAsync(engine, cancellation);
            return model;
        }
        catch
        {
            // In this order, and here rather than at the process's end: a device's memory must be free for the next try.
            if (engine is not null) await engine.DisposeAsync();
            runner.Dispose();
            throw;
        }
    }

    private static ITokenizer OpenTokenizer(ModelFolder folder) =>
        folder.TokenizerPath is { } path ? TokenizerJson.Load(path)
        : folder.TokenizerTables is { } tables ? TokenizerTablesLoader.Load(tables)
        : ModelFolder.IsGguf(folder.Path) ? throw new StartupException($"'{folder.Path}' holds no tokenizer (the keys tokenizer.ggml.*). Get a file of the model that has one, or use its folder.")
        : throw new StartupException($"'{folder.Path}' has no tokenizer.json. Get it from the model's repository, or convert tokenizer.model with transformers' AutoTokenizer.save_pretrained.");

    private static EngineOptions EngineOptionsOf(ServerOptions options, IModelDevice device, RunnerLimits limits) => new()
    {
        TokensPerStep = limits.MaxTokensPerStep,
        MaxRunningSequences = limits.MaxSequencesPerStep,
        MaxWaitingRequests = options.Scheduler.MaxWaitingRequests,
        MaxWaitingTokens = options.Scheduler.MaxWaitingTokens,
        DecodeSlowdown = options.Scheduler.DecodeSlowdown ?? device.DecodeSlowdown,
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
            Created = new DateTimeOffset(File.GetLastWriteTimeUtc(source.Path)).ToUnixTimeSeconds(),
            Engine = engine,
            Tokenizer = tokenizer,
            Template = OpenTemplate(options, folder),
            TemplateTokens = tokens,
            ContextLength = limits.ContextLength,
            TokensPerStep = limits.MaxTokensPerStep,
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
}
