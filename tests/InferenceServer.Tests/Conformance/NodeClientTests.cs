using System.ComponentModel;
using System.Diagnostics;
using InferenceServer.Hosting;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;

namespace InferenceServer.Tests.Conformance;

/// <summary>Other people's clients, in Node, against the whole server with the built-in model. They must exit with 0.</summary>
public class NodeClientTests(ITestOutputHelper output)
{
    private const string Key = "conformance-key";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData(null)]
    [InlineData(Key)]
    public async Task The_grpc_js_client_works(string? key)
    {
        await using ServerHost server = await StartAsync(key);
        await RunAsync("grpc.mjs", new Uri(server.GrpcUrl!).Authority, key);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(Key)]
    public async Task The_openai_client_works(string? key)
    {
        await using ServerHost server = await StartAsync(key);
        await RunAsync("openai.mjs", server.HttpUrl, key);
    }

    private static async Task<ServerHost> StartAsync(string? key)
    {
        ServerHost server = await ServerHost.StartAsync(new ServerOptions
        {
            Http = new() { Port = 0 },
            Grpc = new() { Port = 0 },
            Auth = new() { ApiKeys = key is null ? [] : [key] },
            Cpu = new() { Threads = 2 },
        }, TestContext.Current.CancellationToken);
        Assert.True(await server.WaitUntilReadyAsync(), "The built-in model did not load.");
        return server;
    }

    private async Task RunAsync(string script, params string?[] arguments)
    {
        string folder = Path.Combine(TestModels.Root, "tests", "conformance");
        Assert.SkipUnless(Directory.Exists(Path.Combine(folder, "node_modules")), "The clients are not installed: run 'npm ci --prefix tests/conformance'.");
        using Process? node = Start(folder, [script, .. arguments.OfType<string>()]);
        Assert.SkipWhen(node is null, "There is no 'node' on this machine: install Node.js to run other people's clients.");
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        Task<string> said = node!.StandardOutput.ReadToEndAsync(limit.Token);
        Task<string> complained = node.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            await node.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!node.HasExited) node.Kill(entireProcessTree: true);
        }

        output.WriteLine(await said);
        Assert.True(node.ExitCode == 0, $"{script} ended with {node.ExitCode}:{Environment.NewLine}{await complained}");
        Assert.EndsWith("ok", (await said).TrimEnd(), StringComparison.Ordinal);
    }

    /// <summary>Null where there is no node.</summary>
    private static Process? Start(string folder, string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("node", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true });
        }
        catch (Win32Exception)
        {
            return null; // the caller skips with a sentence
        }
    }
}
