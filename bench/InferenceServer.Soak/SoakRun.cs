using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;

namespace InferenceServer.Soak;

/// <summary>One storm from start to report: record the sentinels alone, send everything, wait until idle, look for what stayed behind.</summary>
internal sealed class SoakRun : IDisposable
{
    private static readonly TimeSpan IdleLimit = TimeSpan.FromSeconds(60);

    private readonly SoakOptions _options;
    private readonly ServerProcess? _server;
    private readonly Ledger _ledger;
    private readonly ApiClient _client;
    private readonly Sentinels _sentinels;
    private readonly SlowReaders _slowReaders;
    private readonly MemoryWatch? _memory;
    private readonly BadInputs _inputs;
    private readonly List<Scenario> _scenarios;
    private int _next;

    private SoakRun(SoakOptions options, ServerProcess? server, ApiClient client, Ledger ledger, Uri url, string model)
    {
        _options = options;
        _server = server;
        _client = client;
        _ledger = ledger;
        _inputs = BadInputs.Load(options.DataFolder ?? RepositoryFiles.DataFolder());
        _memory = server is null ? null : new MemoryWatch(server.Id);
        PromptBook book = new(model);
        RawConnections raw = new(url, book, ledger);
        _sentinels = new Sentinels(client, book);
        _slowReaders = new SlowReaders(raw, book, ledger);
        _scenarios =
        [
            .. new GoodRequests(client, book, _inputs).Scenarios, .. new BadRequests(client, book, _inputs).Scenarios,
            .. new AbortedRequests(client, book).Scenarios, .. raw.Scenarios, .. _sentinels.Scenarios,
        ];
    }

    /// <exception cref="SoakException">It could not begin.</exception>
    public static async Task<SoakReport> RunAsync(SoakOptions options, CancellationToken cancellation)
    {
        ServerProcess? server = null;
        Uri? url = options.Url;
        if (url is null) (server, url) = await ServerProcess.StartAsync(options, cancellation);
        try
        {
            Ledger ledger = new();
            using ApiClient client = new(url, ledger);
            using SoakRun run = new(options, server, client, ledger, url, await client.FirstModelAsync(cancellation));
            return await run.RunAsync(cancellation);
        }
        finally
        {
            if (server is not null) await server.DisposeAsync();
        }
    }

    public void Dispose() => _client.Dispose();

    private async Task<SoakReport> RunAsync(CancellationToken cancellation)
    {
        Console.WriteLine($"bad inputs: {_inputs.Source}");
        await _sentinels.RecordAsync(cancellation);
        Console.WriteLine($"{_sentinels.Count} sentinels recorded alone; {_options.Requests} requests, seed {_options.Seed}");
        long start = Stopwatch.GetTimestamp();
        using CancellationTokenSource calm = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task slow = _slowReaders.RunAsync(_options.SlowReaders, _options.Seed, calm.Token);
        Task progress = ProgressAsync(start, calm.Token);
        await Task.WhenAll(Enumerable.Range(0, _options.Concurrency).Select(_ => SendAsync(cancellation)));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _memory?.Sample(seconds, _options.Requests);
        await calm.CancelAsync();
        await Task.WhenAll(slow, progress);
        return await SettleAsync(start, seconds, cancellation);
    }

    private async Task SendAsync(CancellationToken cancellation)
    {
        int weights = _scenarios.Sum(s => s.Weight);
        while (!cancellation.IsCancellationRequested && _server?.Alive != false)
        {
            int index = Interlocked.Increment(ref _next) - 1;
            if (index >= _options.Requests) return;
            Random random = new(Mix(_options.Seed, index));
            int drawn = random.Next(weights);
            Scenario scenario = _scenarios.First(s => (drawn -= s.Weight) < 0);
            if (await RunOneAsync(scenario, random, cancellation) is { } wrong) _ledger.Violation(scenario.Kind, $"request {index}: {wrong}");
            _ledger.Finished(scenario.Kind);
        }
    }

    private static async Task<string?> RunOneAsync(Scenario scenario, Random random, CancellationToken cancellation)
    {
        try
        {
            return await scenario.RunAsync(random, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return null; // Ctrl-C
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException)
        {
            return "no answer within the time limit";
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return $"{e.GetType().Name}: {e.Message} {e.InnerException?.Message}";
        }
    }

    private async Task ProgressAsync(long start, CancellationToken stop)
    {
        using PeriodicTimer second = new(TimeSpan.FromSeconds(1));
        int before = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await second.WaitForNextTickAsync(stop);
                double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                int done = _ledger.Done;
                _memory?.Sample(seconds, done);
                MetricsSnapshot metrics = await _client.MetricsAsync(stop);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{seconds,6:F0} s {done,7}/{_options.Requests} {done - before,5}/s  violations {_ledger.Violations}  sentinels {_sentinels.Compared}  running {metrics.Running} waiting {metrics.Waiting} kv {metrics.KvUsage:P0}  RSS {_memory?.LatestMb:F0} MB (peak {_memory?.PeakMb:F0})"));
                before = done;
            }
            catch (OperationCanceledException)
            {
                // The storm is over, or this scrape hung: the loop's condition knows which.
            }
            catch (HttpRequestException e)
            {
                _ledger.Violation("progress", "/metrics did not answer: " + e.Message);
            }
        }
    }

    private async Task<SoakReport> SettleAsync(long start, double seconds, CancellationToken cancellation)
    {
        MetricsSnapshot? metrics = null;
        bool alive = _server?.Alive != false;
        double? idleAfter = null;
        int? exitCode = null;
        if (alive)
        {
            (metrics, idleAfter) = await WaitUntilIdleAsync(cancellation);
            if (await _sentinels.CompareAllAsync(cancellation) is { } difference) _ledger.Violation("after_the_storm", difference);
            _memory?.Sample(Stopwatch.GetElapsedTime(start).TotalSeconds, _options.Requests);
            if (_server is not null) exitCode = await _server.StopAsync();
        }

        return SoakReport.From(_options, _server, _ledger, _sentinels, _memory, _inputs.Source, seconds, alive, metrics, idleAfter, exitCode);
    }

    private async Task<(MetricsSnapshot Metrics, double? Seconds)> WaitUntilIdleAsync(CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            MetricsSnapshot metrics = await _client.MetricsAsync(cancellation);
            TimeSpan waited = Stopwatch.GetElapsedTime(start);
            if (metrics.Idle) return (metrics, waited.TotalSeconds);
            if (waited > IdleLimit) return (metrics, null);
            await Task.Delay(200, cancellation);
        }
    }

    /// <summary>SplitMix64's finalizer: neighbouring requests must not draw alike.</summary>
    private static int Mix(int seed, int index)
    {
        ulong x = unchecked(((ulong)(uint)seed << 32 | (uint)index) + 0x9E3779B97F4A7C15UL);
        x = unchecked((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL);
        x = unchecked((x ^ (x >> 27)) * 0x94D049BB133111EBUL);
        return (int)(x ^ (x >> 31));
    }
}
