namespace InferenceServer.Cuda.Driver;

/// <summary>How a kernel is launched: grid in blocks, block in threads.</summary>
/// <param name="SharedBytes">Dynamic shared memory a block.</param>
/// <param name="Dependent">
/// The kernel waits by griddepcontrol before it touches what its predecessor wrote, so it may start while that one drains
/// (programmatic stream serialisation; ignored before compute capability 9.0).
/// </param>
internal readonly record struct LaunchShape(uint GridX, uint GridY, uint GridZ, uint BlockX, uint SharedBytes = 0, bool Dependent = true);
