using System.CommandLine;
using System.Runtime.InteropServices;
using InferenceServer.Cpu;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;

namespace InferenceServer.Commands;

/// <summary>doctor: what this machine offers the server, and what the server would take. Loads no model; a machine without a GPU is no error.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        Command command = new("doctor", "Say what this machine has and which device would be used; takes the server's options.");
        OptionReader reader = new(command);
        command.SetAction(parsed =>
        {
            (ServerOptions? options, IReadOnlyList<string> errors) = reader.Read(parsed, Environment.GetEnvironmentVariable);
            foreach (string sentence in errors) Console.Error.WriteLine("error: " + sentence);
            return options is null ? 2 : Run(options, new DeviceChoice(), Console.Out);
        });
        return command;
    }

    /// <returns>The exit code: 0 unless the device that was asked for by name cannot be used.</returns>
    public static int Run(ServerOptions options, DeviceChoice devices, TextWriter output)
    {
        output.WriteLine($"server    {typeof(DoctorCommand).Assembly.GetName().Version?.ToString(3)} on {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}");
        output.WriteLine($"cpu       {Environment.ProcessorCount} threads, {CpuBackend.InstructionSetName} kernels");
        if (CpuBackend.DescribeNodes(options.Cpu.Threads) is { } nodes) output.WriteLine($"nodes     {nodes}");
        output.WriteLine($"memory    {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30):F1} GiB may be used");
        output.WriteLine($"models    {Manifests(options.Model)}");
        foreach (string line in devices.Report()) output.WriteLine($"cuda      {line}");
        (string answer, bool usable) = devices.Explain(options);
        output.WriteLine($"device    --device {options.Model.Device}: {answer}");
        return usable ? 0 : 2;
    }

    private static string Manifests(ModelOptions model)
    {
        try
        {
            return ServedSource.CatalogFolder(model.ManifestFolder);
        }
        catch (StartupException e)
        {
            return e.Message;
        }
    }
}
