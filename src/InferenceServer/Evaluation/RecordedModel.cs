using InferenceServer.Core.Requests;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using Microsoft.Extensions.Logging.Abstractions;

namespace InferenceServer.Evaluation;

/// <summary>A model on the CPU under its engine, whose logits can be read. One caller at a time.</summary>
internal sealed class RecordedModel : IAsyncDisposable
{
    private readonly LoadedModel _model;
    private readonly LogitsRecorder _recorder;

    private RecordedModel(LoadedModel model, LogitsRecorder recorder) => (_model, _recorder) = (model, recorder);

    public ServedModel Served => _model.Served;

    /// <exception cref="StartupException">A sentence with a next step.</exception>
    public static async Task<RecordedModel> LoadAsync(ServedSource source, ServerOptions options, CancellationToken cancellation)
    {
        LogitsRecorder recorder = new();
        options = options with { Kv = options.Kv with { PrefixCache = false } }; // a cached prefix has keys and values, but no logits
        return new RecordedModel(await ModelLoader.LoadAsync(source, options, new CpuDevice(recorder), null, NullLogger.Instance, cancellation), recorder);
    }

    /// <summary>Runs over a text as it stands; afterwards <see cref="LogitsAt"/> tells what the model made of it.</summary>
    public async Task ScoreAsync(ScoredText text, CancellationToken cancellation)
    {
        _recorder.Begin(text.FirstScored, text.Ids.Length);
        await RunAsync(text.Ids, maxTokens: 0, new SamplingParameters { Temperature = 0, PromptLogprobs = 0 }, cancellation);
    }

    /// <summary>(vocabulary) What predicts the token at a position of the text scored last.</summary>
    public ReadOnlySpan<float> LogitsAt(int position) =>
        _recorder[position] ?? throw new InvalidOperationException($"The engine asked for no logits of position {position}.");

    /// <summary>The most likely continuation, its end-of-sequence token included. May be called many times at once.</summary>
    public Task<List<int>> ContinueAsync(int[] prompt, int maxTokens, CancellationToken cancellation) =>
        RunAsync(prompt, maxTokens, new SamplingParameters { Temperature = 0 }, cancellation);

    public ValueTask DisposeAsync() => _model.DisposeAsync();

    private async Task<List<int>> RunAsync(int[] prompt, int maxTokens, SamplingParameters sampling, CancellationToken cancellation)
    {
        Submission submission = Served.Engine.Submit(new EngineRequest
        {
            RequestId = "eval",
            PromptTokens = prompt,
            Sampling = sampling,
            MaxTokens = maxTokens,
            StopTokens = Served.EndTokens,
        });
        if (submission.Generation is not { } generation) throw new StartupException($"A text of {prompt.Length} tokens was refused: {submission.Rejection!.Message}");
        List<int> tokens = [];
        await foreach (TokenEvent e in generation.Events.ReadAllAsync(cancellation))
        {
            if (e.Error is { } error) throw new StartupException($"A text of {prompt.Length} tokens could not be evaluated: {error}");
            if (e.Kind == TokenEventKind.Token) tokens.Add(e.Token);
        }

        return tokens;
    }
}
