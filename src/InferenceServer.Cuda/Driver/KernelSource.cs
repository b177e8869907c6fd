using System.Reflection;

namespace InferenceServer.Cuda.Driver;

/// <summary>Where the PTX of the kernels comes from: resources `ptx/arch/family.ptx` of an assembly, or a test's own.</summary>
internal sealed class KernelSource
{
    private const string Prefix = "ptx/";
    private const string Suffix = ".ptx";

    private readonly SortedDictionary<(string Arch, string Family), Func<byte[]>> _modules = [];

    /// <summary>What this assembly was built with; nothing if clang was missing.</summary>
    public static KernelSource Embedded { get; } = FromResources(typeof(KernelSource).Assembly);

    /// <summary>Architectures there is anything for, e.g. sm_80.</summary>
    public IEnumerable<string> Archs => _modules.Keys.Select(k => k.Arch).Distinct();

    public static KernelSource FromResources(Assembly assembly)
    {
        KernelSource source = new();
        foreach (string name in assembly.GetManifestResourceNames())
        {
            string[] parts = name.Split('/', '\\');
            if (parts.Length == 3 && name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Suffix, StringComparison.Ordinal))
                source._modules.Add((parts[1], parts[2][..^Suffix.Length]), () => Read(assembly, name));
        }

        return source;
    }

    /// <summary>Adds a module by hand.</summary>
    public KernelSource With(string arch, string family, string ptx)
    {
        _modules[(arch, family)] = () => System.Text.Encoding.UTF8.GetBytes(ptx);
        return this;
    }

    /// <summary>Families compiled for an architecture.</summary>
    public IReadOnlyList<string> Families(string arch) => [.. _modules.Keys.Where(k => k.Arch == arch).Select(k => k.Family)];

    /// <summary>The text of a module, UTF-8, without a closing zero.</summary>
    public byte[] Ptx(string arch, string family) => _modules[(arch, family)]();

    private static byte[] Read(Assembly assembly, string name)
    {
        using Stream stream = assembly.GetManifestResourceStream(name)!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
