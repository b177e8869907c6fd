using System.Globalization;

namespace InferenceServer.Options;

internal enum DeviceKind
{
    /// <summary>GPU 0 if it can be used, else the CPU.</summary>
    Auto,
    Cpu,
    Cuda,
}

/// <summary>What --device names.</summary>
/// <param name="Index">Which GPU, from 0 as CUDA_VISIBLE_DEVICES leaves them.</param>
internal readonly record struct DeviceName(DeviceKind Kind, int Index = 0)
{
    private const string Numbered = "cuda:";

    public static bool TryParse(string text, out DeviceName name)
    {
        name = text switch { "cpu" => new(DeviceKind.Cpu), "cuda" => new(DeviceKind.Cuda), _ => new(DeviceKind.Auto) };
        if (text is "auto" or "cpu" or "cuda") return true;
        if (!text.StartsWith(Numbered, StringComparison.Ordinal)) return false;
        if (!int.TryParse(text.AsSpan(Numbered.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int index)) return false;
        name = new(DeviceKind.Cuda, index);
        return true;
    }
}
