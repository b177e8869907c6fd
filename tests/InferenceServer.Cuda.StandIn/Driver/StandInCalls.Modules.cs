using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>Assembling, modules, functions and launches. "Assembling" is parsing: the binary is the text behind a heading.</summary>
internal static unsafe partial class StandInCalls
{
    private const string Heading = "stand-in cubin\n";

    /// <summary>Texts parsed before, by their hash: many tests load the same kernels.</summary>
    private static readonly ConcurrentDictionary<string, PtxModule> Parsed = new();

    private static nint ModuleExport(string name) => name switch
    {
        "cuLinkCreate_v2" => (nint)(delegate* unmanaged<uint, JitOption*, void**, nint*, CudaError>)&LinkCreate,
        "cuLinkAddData_v2" => (nint)(delegate* unmanaged<nint, JitInputType, void*, nuint, byte*, uint, JitOption*, void**, CudaError>)&LinkAddData,
        "cuLinkComplete" => (nint)(delegate* unmanaged<nint, void**, nuint*, CudaError>)&LinkComplete,
        "cuLinkDestroy" => (nint)(delegate* unmanaged<nint, CudaError>)&LinkDestroy,
        "cuModuleLoadDataEx" => (nint)(delegate* unmanaged<nint*, void*, uint, JitOption*, void**, CudaError>)&ModuleLoadDataEx,
        "cuModuleUnload" => (nint)(delegate* unmanaged<nint, CudaError>)&ModuleUnload,
        "cuModuleGetFunction" => (nint)(delegate* unmanaged<nint*, nint, byte*, CudaError>)&ModuleGetFunction,
        "cuFuncGetAttribute" => (nint)(delegate* unmanaged<int*, FunctionAttribute, nint, CudaError>)&FuncGetAttribute,
        "cuFuncSetAttribute" => (nint)(delegate* unmanaged<nint, FunctionAttribute, int, CudaError>)&FuncSetAttribute,
        "cuFuncGetParamInfo" => (nint)(delegate* unmanaged<nint, nuint, nuint*, nuint*, CudaError>)&FuncGetParamInfo,
        "cuOccupancyMaxActiveBlocksPerMultiprocessor" => (nint)(delegate* unmanaged<int*, nint, int, nuint, CudaError>)&Occupancy,
        "cuLaunchKernelEx" => (nint)(delegate* unmanaged<LaunchConfig*, nint, void**, void**, CudaError>)&LaunchKernelEx,
        _ => 0,
    };

    /// <summary>An assembler at work.</summary>
    private sealed class Link
    {
        public nint Log;
        public long LogBytes;
        public string? Text;
        public nint Output;
    }

    [UnmanagedCallersOnly]
    private static CudaError LinkCreate(uint count, JitOption* options, void** values, nint* link)
    {
        lock (Device.Gate)
        {
            if (Enter("cuLinkCreate_v2") is not CudaError.Success and var error) return error;
            if (!Device.Options.HasPtxCompiler) return CudaError.JitCompilerNotFound;
            Link made = new();
            for (int i = 0; i < count; i++)
            {
                if (options[i] == JitOption.ErrorLogBuffer) made.Log = (nint)values[i];
                else if (options[i] == JitOption.ErrorLogBufferSizeBytes) made.LogBytes = (long)values[i];
            }

            *link = Device.Add(made);
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError LinkAddData(nint handle, JitInputType type, void* data, nuint bytes, byte* name, uint count, JitOption* options, void** values)
    {
        Link link;
        lock (Device.Gate)
        {
            if (Enter("cuLinkAddData_v2") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out link) || type != JitInputType.Ptx) return CudaError.InvalidValue;
        }

        string text = Encoding.UTF8.GetString((byte*)data, (int)bytes).TrimEnd('\0');
        try
        {
            Parse(text, Marshal.PtrToStringUTF8((nint)name) ?? "ptx"); // outside the gate: modules are assembled in parallel
        }
        catch (PtxException e)
        {
            byte[] words = Encoding.UTF8.GetBytes(e.Message + "\0");
            if (link.Log != 0) words.AsSpan(0, (int)Math.Min(words.Length, link.LogBytes)).CopyTo(new Span<byte>((void*)link.Log, (int)link.LogBytes));
            return CudaError.InvalidPtx;
        }

        link.Text = text;
        return CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError LinkComplete(nint handle, void** output, nuint* bytes)
    {
        lock (Device.Gate)
        {
            if (Enter("cuLinkComplete") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out Link link) || link.Text is null) return CudaError.InvalidValue;
            byte[] binary = Encoding.UTF8.GetBytes(Heading + link.Text + "\0");
            link.Output = (nint)NativeMemory.Alloc((nuint)binary.Length);
            binary.CopyTo(new Span<byte>((void*)link.Output, binary.Length));
            *output = (void*)link.Output;
            *bytes = (nuint)binary.Length;
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError LinkDestroy(nint handle)
    {
        lock (Device.Gate)
        {
            if (!Device.TryGet(handle, out Link link)) return CudaError.InvalidHandle;
            NativeMemory.Free((void*)link.Output);
            Device.Remove<Link>(handle);
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError ModuleLoadDataEx(nint* module, void* image, uint count, JitOption* options, void** values)
    {
        string text = Marshal.PtrToStringUTF8((nint)image) ?? "";
        lock (Device.Gate)
        {
            if (Enter("cuModuleLoadDataEx") is not CudaError.Success and var error) return error;
            if (!text.StartsWith(Heading, StringComparison.Ordinal)) return CudaError.InvalidImage;
        }

        try
        {
            PtxModule parsed = Parse(text[Heading.Length..], "cubin");
            lock (Device.Gate) *module = Device.Add(new StandInModule(parsed));
            return CudaError.Success;
        }
        catch (PtxException e)
        {
            return Refuse(CudaError.InvalidImage, e.Message);
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError ModuleUnload(nint module)
    {
        lock (Device.Gate)
        {
            if (Enter("cuModuleUnload") is not CudaError.Success and var error) return error;
            Device.FinishAll();
            return Device.Remove<StandInModule>(module) ? CudaError.Success : CudaError.InvalidHandle;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError ModuleGetFunction(nint* function, nint handle, byte* name)
    {
        lock (Device.Gate)
        {
            if (Enter("cuModuleGetFunction") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInModule module)) return CudaError.InvalidHandle;
            if (!module.Ptx.Kernels.TryGetValue(Marshal.PtrToStringUTF8((nint)name)!, out PtxKernel? kernel)) return CudaError.NotFound;
            *function = Device.Add(new StandInFunction(kernel));
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError FuncGetAttribute(int* value, FunctionAttribute attribute, nint handle)
    {
        lock (Device.Gate)
        {
            if (Enter("cuFuncGetAttribute") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInFunction function)) return CudaError.InvalidHandle;
            *value = attribute switch
            {
                FunctionAttribute.MaxThreadsPerBlock => function.Kernel.MaxThreads,
                FunctionAttribute.SharedSizeBytes => function.Kernel.StaticSharedBytes,
                FunctionAttribute.LocalSizeBytes => function.Kernel.LocalBytes,
                FunctionAttribute.MaxDynamicSharedSizeBytes => function.MaxDynamicSharedBytes,
                _ => 0, // registers are the assembler's to count
            };
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError FuncSetAttribute(nint handle, FunctionAttribute attribute, int value)
    {
        lock (Device.Gate)
        {
            if (Enter("cuFuncSetAttribute") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInFunction function)) return CudaError.InvalidHandle;
            if (attribute != FunctionAttribute.MaxDynamicSharedSizeBytes) return CudaError.InvalidValue;
            if (value + function.Kernel.StaticSharedBytes > PtxInterpreter.MaxSharedBytes) return CudaError.InvalidValue;
            function.MaxDynamicSharedBytes = value;
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError FuncGetParamInfo(nint handle, nuint index, nuint* offset, nuint* size)
    {
        lock (Device.Gate)
        {
            if (!Device.TryGet(handle, out StandInFunction function)) return CudaError.InvalidHandle;
            if ((int)index >= function.Kernel.Params.Count) return CudaError.InvalidValue;
            PtxParam parameter = function.Kernel.Params[(int)index];
            *offset = (nuint)parameter.Offset;
            if (size != null) *size = (nuint)parameter.Size;
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError Occupancy(int* blocks, nint handle, int threads, nuint sharedBytes)
    {
        *blocks = Math.Max(1, Math.Min(2048 / Math.Max(threads, 32), (228 << 10) / (int)(sharedBytes + 1024)));
        return CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError LaunchKernelEx(LaunchConfig* config, nint handle, void** arguments, void** extra)
    {
        lock (Device.Gate)
        {
            if (Enter("cuLaunchKernelEx") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInFunction function) || !Device.TryGet(config->Stream, out StandInStream stream)) return CudaError.InvalidHandle;
            if (Problem(config, function) is { } problem) return Refuse(CudaError.InvalidValue, $"{function.Kernel.Name}: {problem}");
            StreamWork work = new()
            {
                Kind = StreamWorkKind.Launch,
                Function = function,
                GridX = config->GridX,
                GridY = config->GridY,
                GridZ = config->GridZ,
                BlockX = config->BlockX,
                BlockY = config->BlockY,
                BlockZ = config->BlockZ,
                SharedBytes = config->SharedBytes,
            };
            for (int i = 0; i < function.Kernel.Params.Count; i++)
            {
                PtxParam parameter = function.Kernel.Params[i];
                Buffer.MemoryCopy(arguments[i], work.Parameters + parameter.Offset, StreamWork.MaxParameterBytes - parameter.Offset, parameter.Size);
            }

            stream.Enqueue(in work);
            return CudaError.Success;
        }
    }

    private static string? Problem(LaunchConfig* config, StandInFunction function)
    {
        if (config->GridX == 0 || config->GridY == 0 || config->GridZ == 0 || config->BlockX * config->BlockY * config->BlockZ == 0) return "an empty grid or block";
        if (config->GridX > int.MaxValue || config->GridY > 65535 || config->GridZ > 65535) return "a grid beyond 2^31-1 x 65535 x 65535";
        if (config->BlockX * config->BlockY * config->BlockZ > function.Kernel.MaxThreads) return "a block larger than its launch bounds";
        if (config->SharedBytes > function.MaxDynamicSharedBytes) return "more dynamic shared memory than cuFuncSetAttribute allowed";
        if (function.Kernel.ParameterBytes > StreamWork.MaxParameterBytes) return $"more than {StreamWork.MaxParameterBytes} bytes of parameters, which is this stand-in's limit";
        return null;
    }

    private static PtxModule Parse(string text, string name) =>
        Parsed.GetOrAdd(Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text))), _ => PtxModule.Parse(text, name));
}
