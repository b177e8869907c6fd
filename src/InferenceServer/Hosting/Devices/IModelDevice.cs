using InferenceServer.Core.Stepping;
using InferenceServer.Models;
using InferenceServer.Options;

namespace InferenceServer.Hosting.Devices;

/// <summary>
/// Where a model runs, chosen once for the process. To add one: a class that sizes and loads a runner, a word in <see cref="DeviceName"/>,
/// a line in <see cref="DeviceChoice"/>.
/// </summary>
internal interface IModelDevice
{
    /// <summary>"cpu", "cuda:0".</summary>
    string Name { get; }

    /// <summary>--decode-slowdown where it is not set: see <see cref="Engine.EngineOptions.DecodeSlowdown"/>.</summary>
    double DecodeSlowdown => 0;

    /// <summary>Loads the weights and allocates the KV pool and the step's buffers; the runner owns them. Called again after a fault.</summary>
    /// <exception cref="StartupException">A sentence with a next step.</exception>
    /// <exception cref="ModelLoadException">A broken file, or an option that does not fit the model.</exception>
    IModelRunner LoadRunner(ModelFolder folder, ServerOptions options, ILogger logger);
}
