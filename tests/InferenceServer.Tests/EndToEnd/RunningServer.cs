using InferenceServer.Hosting;
using InferenceServer.Options;
using Microsoft.Extensions.DependencyInjection;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>The whole server in this process, on free ports, with the demo model unless told otherwise.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly ServerHost _host;

    private RunningServer(ServerHost host)
    {
        _host = host;
        Http = new HttpClient { BaseAddress = new Uri(host.HttpUrl) };
    }

    public HttpClient Http { get; }

    public string HttpUrl => _host.HttpUrl;

    public string GrpcUrl => _host.GrpcUrl!;

    public ModelRegistry Models => _host.Services.GetRequiredService<ModelRegistry>();

    /// <summary>Why the model is not served any more.</summary>
    public string Failure => Models.Failure ?? "";

    /// <summary>As the executable does: until it is stopped or gives up.</summary>
    public Task<int> RunAsync() => _host.RunAsync();

    public static async Task<RunningServer> StartAsync(Func<ServerOptions, ServerOptions>? configure = null, HostParts? parts = null)
    {
        ServerOptions options = new()
        {
            Model = new ModelOptions { ManifestFolder = Path.Combine(TestModels.Root, "models-manifest") },
            Http = new HttpOptions { Port = 0 },
            Grpc = new GrpcOptions { Port = 0 },
        };
        ServerHost host = await ServerHost.StartAsync(configure?.Invoke(options) ?? options, TestContext.Current.CancellationToken, parts);
        Assert.True(await host.WaitUntilReadyAsync(), "the model did not load");
        return new RunningServer(host);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _host.DisposeAsync();
    }
}
