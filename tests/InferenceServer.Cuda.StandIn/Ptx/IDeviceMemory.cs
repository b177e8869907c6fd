namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>Checked translation of device addresses to host memory. Called from several threads at once.</summary>
internal interface IDeviceMemory
{
    /// <summary>
    /// The host pointer behind <paramref name="address"/>, or null if no allocation holds all of the <paramref name="bytes"/>.
    /// [begin, end) is the allocation around it in device addresses; the interpreter keeps the range for the rest of the launch.
    /// </summary>
    unsafe byte* Map(ulong address, int bytes, bool write, out ulong begin, out ulong end);
}
