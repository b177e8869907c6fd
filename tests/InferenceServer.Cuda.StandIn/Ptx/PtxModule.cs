using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>A parsed PTX text. Parsing is strict: what is not in the instruction table to the letter is refused.</summary>
internal sealed class PtxModule
{
    private PtxModule(string name, ModuleParser parsed)
    {
        Name = name;
        Version = parsed.Version;
        Target = parsed.Target;
        Variables = parsed.Variables;
        Kernels = parsed.ParseKernels(this);
    }

    public string Name { get; }
    /// <summary>The PTX ISA version it asks for, "7.0".</summary>
    public string Version { get; }
    /// <summary>The architecture it was made for, "sm_80".</summary>
    public string Target { get; }
    public IReadOnlyDictionary<string, PtxKernel> Kernels { get; }
    /// <summary>The .global and .const variables.</summary>
    public ModuleVariables Variables { get; }

    /// <param name="name">Stands in messages.</param>
    /// <exception cref="PtxException">Names the line.</exception>
    public static PtxModule Parse(string text, string name) => new(name, new ModuleParser(text, name));
}
