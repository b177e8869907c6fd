using System.CommandLine;
using InferenceServer.Options;

namespace InferenceServer.Commands;

/// <summary>health: asks a running server whether it takes requests; for containers, whose images have no curl.</summary>
internal static class HealthCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4); // below the 5 s that orchestrators commonly allow

    public static Command Create()
    {
        Option<Uri?> url = new("--url") { Description = "The server. Default: this machine's, on the port that the environment sets, else 8080.", HelpName = "URL" };
        Command command = new("health", "Ask a running server for /health: exit code 0 if it takes requests, else 1.") { url };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(url) ?? Local(), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(Uri server, CancellationToken cancellation)
    {
        if (!server.IsAbsoluteUri || server.Scheme is not ("http" or "https"))
        {
            await Console.Error.WriteLineAsync($"error: --url is '{server}'; an address such as http://127.0.0.1:8080 is expected.");
            return 2;
        }

        using HttpClient http = new() { Timeout = Patience };
        try
        {
            using HttpResponseMessage response = await http.GetAsync(new Uri(server, "/health"), cancellation);
            Console.WriteLine(await response.Content.ReadAsStringAsync(cancellation));
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"error: {server} does not answer: {e.Message}");
            return 1;
        }
    }

    private static Uri Local()
    {
        string variable = OptionCatalog.All.Single(o => o.Path == "Http.Port").EnvironmentVariable;
        string port = Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set ? set : $"{new HttpOptions().Port}";
        return new Uri($"http://127.0.0.1:{port}");
    }
}
