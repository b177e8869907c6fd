namespace InferenceServer.Hosting.Devices;

/// <summary>What is said of GPUs at start.</summary>
internal static partial class GpuLog
{
    [LoggerMessage(22, LogLevel.Information, "{Text}")]
    public static partial void Driver(ILogger logger, string text);

    [LoggerMessage(23, LogLevel.Information, "running on the CPU: {Why}")]
    public static partial void NotUsed(ILogger logger, string why);
}
