using System.Collections.Concurrent;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine;
using InferenceServer.Hosting;
using InferenceServer.Options;
using InferenceServer.Telemetry;
using InferenceServer.Text.Templates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace InferenceServer.PacedStreams;

/// <summary>The real HTTP door, pipeline, engine and telemetry over a <see cref="PacedRunner"/>.</summary>
internal sealed class PacedServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly InferenceEngine _engine;
    private readonly ConcurrentBag<LatencyLog> _flushes = [];

    private PacedServer(WebApplication app, InferenceEngine engine, int maxTokens)
    {
        (_app, _engine) = (app, engine);
        app.Use((http, next) =>
        {
            LatencyLog log = new(maxTokens);
            _flushes.Add(log);
            http.Features.Set<IHttpResponseBodyFeature>(new StampingBody(http.Features.GetRequiredFeature<IHttpResponseBodyFeature>(), log));
            return next(http);
        });
    }

    public int Port => new Uri(_app.Urls.First()).Port;

    public EngineStatus Status => _engine.Status;

    /// <summary>Emission to the return of the flush, a log a stream.</summary>
    public IEnumerable<LatencyLog> Flushes => _flushes;

    /// <param name="streams">How many will run at once.</param>
    /// <param name="rate">Tokens of each a second.</param>
    /// <param name="maxTokens">Of one stream, prompt included.</param>
    public static async Task<PacedServer> StartAsync(int streams, int rate, int maxTokens)
    {
        // One line a request would drown the result.
        Environment.SetEnvironmentVariable("Logging__LogLevel__InferenceServer", "Warning");
        ServerOptions options = new() { Http = new HttpOptions { Port = 0 }, Grpc = new GrpcOptions { Enabled = false } };
        ModelRegistry models = new("paced");
        WebApplication app = ServerHost.Build(options, models);
        PacedRunner runner = new(rate, Limits(streams, maxTokens));
        EngineOptions limits = new() { MaxRunningSequences = streams, MaxWaitingRequests = Math.Max(1024, streams) };
        InferenceEngine engine = new(runner, limits, TimeProvider.System, app.Services.GetRequiredService<EngineObserver>());
        PacedServer server = new(app, engine, maxTokens);
        await app.StartAsync();
        engine.Start();
        models.Publish(Serve(runner, engine));
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _app.DisposeAsync();
    }

    private static RunnerLimits Limits(int streams, int maxTokens) => new()
    {
        VocabularySize = PacedRunner.Vocabulary,
        ContextLength = maxTokens,
        BlockSize = 16,
        BlockCount = streams * (maxTokens / 16 + 2),
        MaxTokensPerStep = Math.Max(4096, streams),
        MaxSequencesPerStep = streams,
        MaxRowsPerStep = streams,
    };

    private static ServedModel Serve(PacedRunner runner, InferenceEngine engine) => new()
    {
        Id = "paced",
        Created = 0,
        Engine = engine,
        Tokenizer = new StampTokenizer(runner),
        Template = ChatTemplate.Parse("{% for message in messages %}{{ message.content }}{% endfor %}", "paced"),
        TemplateTokens = new Dictionary<string, string>(),
        ContextLength = runner.Limits.ContextLength,
        TokensPerStep = runner.Limits.MaxTokensPerStep,
        VocabularySize = PacedRunner.Vocabulary,
        EndTokens = [],
        Defaults = new SamplingParameters(),
    };
}
