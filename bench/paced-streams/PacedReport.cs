using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace InferenceServer.PacedStreams;

/// <summary>The figures with what they were measured on and how, so that a snapshot can be repeated.</summary>
internal static class PacedReport
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static string ToJson(IReadOnlyList<RoundResult> rounds, string[] arguments) => JsonSerializer.Serialize(
        new
        {
            command = $"dotnet run --project bench/paced-streams -c Release -- {string.Join(' ', arguments)}".TrimEnd(' ', '-'),
            measured = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            processors = Environment.ProcessorCount,
            architecture = RuntimeInformation.ProcessArchitecture.ToString(),
            runtime = RuntimeInformation.FrameworkDescription,
            loadAverage = LoadAverage(),
            rounds,
        },
        Format) + "\n";

    /// <summary>What else ran, where the system tells: one minute's mean of runnable threads.</summary>
    private static string? LoadAverage() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : null;
}
