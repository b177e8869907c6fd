namespace InferenceServer.Hosting;

/// <summary>
/// Keeps one model served: loads it, waits for a fault of its engine, disposes engine and runner and loads it again, in the same process.
/// Owns the loaded model. What runs when the engine breaks ends with its sentence; what comes in between is told to come back.
/// </summary>
internal sealed partial class ModelSupervisor : IAsyncDisposable
{
    private static readonly TimeSpan ShortestRetry = TimeSpan.FromSeconds(1); // Retry-After counts whole seconds

    private readonly Func<CancellationToken, Task<LoadedModel>> _load;
    private readonly ModelRegistry _models;
    private readonly RestartPolicy _restarts;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<ServedModel?> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _running;
    private volatile LoadedModel? _current;
    private string _why = "";

    /// <param name="load">Files to a model whose first step has run; called again after each fault.</param>
    public ModelSupervisor(Func<CancellationToken, Task<LoadedModel>> load, ModelRegistry models, RestartPolicy restarts, TimeProvider time, ILogger logger)
    {
        (_load, _models, _restarts, _time, _logger) = (load, models, restarts, time, logger);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Completes when the model is ready for the first time; null: it could not be loaded, and the registry says why.</summary>
    public Task<ServedModel?> FirstReady => _first.Task;

    /// <summary>Completes when the model will not be served any more.</summary>
    public Task Ended => _running;

    /// <summary>Finishes what was accepted. Nothing to do while there is no engine.</summary>
    public Task DrainAsync(CancellationToken deadline) => _current?.Served.Engine.DrainAsync(deadline) ?? Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        if (_current is { } model) await model.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            LoadedModel? model = await TryLoadAsync();
            if (model is null) _models.Fail(_why);
            while (model is not null)
            {
                _current = model;
                _models.Publish(model.Served);
                _first.TrySetResult(model.Served);
                await model.Faulted.WaitAsync(_stopping.Token);
                model = await ReplaceAsync(model);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The server stops; what is loaded is disposed by whoever disposes this.
        }
        finally
        {
            _first.TrySetResult(null);
        }
    }

    private async Task<LoadedModel?> ReplaceAsync(LoadedModel broken)
    {
        long since = _time.GetTimestamp();
        string id = broken.Served.Id;
        _why = broken.Served.Engine.Status.Fault ?? "The engine failed.";
        Broken(_logger, broken.Fault, _why);
        _models.Interrupt(Sentence(), ShortestRetry);
        _current = null;
        await DisposeAsync(broken);
        while (_restarts.AfterFailure() is { } delay)
        {
            _models.Interrupt(Sentence(), delay < ShortestRetry ? ShortestRetry : delay);
            Restarting(_logger, delay.TotalSeconds);
            await Task.Delay(delay, _time, _stopping.Token);
            if (await TryLoadAsync() is not { } model) continue;
            ReadyAgain(_logger, id, Math.Round(_time.GetElapsedTime(since).TotalSeconds, 2));
            return model;
        }

        _models.Fail($"The engine failed too often to be started again (all within {RestartPolicy.Window.TotalMinutes:F0} minutes). {_why}");
        GaveUp(_logger, _why);
        return null;
    }

    private string Sentence() => $"The engine failed and is being started again; retry in a few seconds. {_why}";

    /// <summary>Null: it failed, and <see cref="_why"/> says why.</summary>
    private async Task<LoadedModel?> TryLoadAsync()
    {
        try
        {
            return await _load(_stopping.Token);
        }
        catch (Exception e) when (e is StartupException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            _why = e.Message;
        }
        catch (Exception e) when (e is not OperationCanceledException || !_stopping.IsCancellationRequested)
        {
            LoadFailed(_logger, e); // ours: without this the server would say "loading" for ever
            _why = $"The model could not be loaded: {e.Message} The log holds the details.";
        }

        return null;
    }

    /// <summary>A broken device may refuse to give its memory back; the next load then says what is missing.</summary>
    private async Task DisposeAsync(LoadedModel broken)
    {
        try
        {
            await broken.DisposeAsync();
        }
        catch (Exception e)
        {
            DisposeFailed(_logger, e);
        }
    }

    [LoggerMessage(12, LogLevel.Critical, "the engine is broken: {Fault}")]
    private static partial void Broken(ILogger logger, Exception? exception, string fault);

    [LoggerMessage(13, LogLevel.Critical, "loading the model failed")]
    private static partial void LoadFailed(ILogger logger, Exception exception);

    [LoggerMessage(14, LogLevel.Warning, "loading the model again in {Seconds} s")]
    private static partial void Restarting(ILogger logger, double seconds);

    [LoggerMessage(15, LogLevel.Information, "ready again: model {Model}, {Seconds} s after the fault")]
    private static partial void ReadyAgain(ILogger logger, string model, double seconds);

    [LoggerMessage(16, LogLevel.Critical, "giving up: the engine failed too often. {Why}")]
    private static partial void GaveUp(ILogger logger, string why);

    [LoggerMessage(17, LogLevel.Error, "the broken engine could not be disposed of wholly")]
    private static partial void DisposeFailed(ILogger logger, Exception exception);
}
