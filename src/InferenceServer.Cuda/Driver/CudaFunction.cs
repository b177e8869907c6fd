using System.Diagnostics.CodeAnalysis;

namespace InferenceServer.Cuda.Driver;

/// <summary>A kernel of a loaded module. Launches allocate nothing. Owned by the thread that launches.</summary>
internal sealed unsafe class CudaFunction
{
    /// <summary>More dynamic shared memory than this a block has to ask for (CUDA programming guide, "Shared memory" of 7.x and later).</summary>
    private const uint SharedBytesByDefault = 48 << 10;

    private readonly CudaContext _context;
    private readonly nint _handle;
    private readonly int _parameterBytes;
    private uint _sharedBytesAllowed = SharedBytesByDefault;

    /// <param name="parameterBytes">Size of the one struct the kernel takes.</param>
    public CudaFunction(CudaContext context, nint handle, string name, int parameterBytes)
    {
        _context = context;
        _handle = handle;
        _parameterBytes = parameterBytes;
        Name = name;
    }

    public string Name { get; }

    /// <summary>Enqueues the kernel. The parameters are copied; they may change as soon as this returns.</summary>
    /// <exception cref="CudaException">The launch was refused, or an earlier kernel faulted.</exception>
    public void Launch<TParams>(CudaStream stream, in LaunchShape shape, in TParams parameters)
        where TParams : unmanaged
    {
        if (sizeof(TParams) != _parameterBytes) ThrowParameters(sizeof(TParams));
        if (shape.SharedBytes > _sharedBytesAllowed) AllowShared(shape.SharedBytes);

        LaunchAttribute dependent = default;
        dependent.Id = LaunchAttributeId.ProgrammaticStreamSerialization;
        dependent.ProgrammaticStreamSerializationAllowed = 1;
        LaunchConfig config = new()
        {
            GridX = shape.GridX,
            GridY = shape.GridY,
            GridZ = shape.GridZ,
            BlockX = shape.BlockX,
            BlockY = 1,
            BlockZ = 1,
            SharedBytes = shape.SharedBytes,
            Stream = stream.Handle,
        };
        if (shape.Dependent && _context.ComputeCapability.HasDependentLaunch)
        {
            config.Attributes = &dependent;
            config.AttributeCount = 1;
        }

        TParams copy = parameters;
        void* argument = &copy;
        _context.LastKernel = Name;
        CudaError result = _context.Api.LaunchKernelEx(&config, _handle, &argument, null);
        if (result != CudaError.Success) ThrowLaunch(result, shape);
    }

    /// <summary>An attribute of the compiled kernel, e.g. registers a thread.</summary>
    public int Attribute(FunctionAttribute attribute)
    {
        int value;
        _context.Api.Check(_context.Api.FuncGetAttribute(&value, attribute, _handle), "cuFuncGetAttribute", Name);
        return value;
    }

    /// <summary>How many blocks of this kernel one multiprocessor holds at a time.</summary>
    public int BlocksPerMultiprocessor(int threads, uint sharedBytes)
    {
        int blocks;
        if (sharedBytes > _sharedBytesAllowed) AllowShared(sharedBytes);
        _context.Api.Check(_context.Api.OccupancyMaxActiveBlocksPerMultiprocessor(&blocks, _handle, threads, sharedBytes), "cuOccupancyMaxActiveBlocksPerMultiprocessor", Name);
        return blocks;
    }

    private void AllowShared(uint bytes)
    {
        _context.Api.Check(_context.Api.FuncSetAttribute(_handle, FunctionAttribute.MaxDynamicSharedSizeBytes, (int)bytes), "cuFuncSetAttribute", Name);
        _sharedBytesAllowed = bytes;
    }

    [DoesNotReturn]
    private void ThrowLaunch(CudaError result, in LaunchShape shape) => throw new CudaException("cuLaunchKernelEx", result, _context.Api.ErrorName(result),
        $"{_context.Api.ErrorText(result)}; grid {shape.GridX}x{shape.GridY}x{shape.GridZ}, {shape.BlockX} threads, {shape.SharedBytes} bytes of dynamic shared memory.{_context.InWork()}", Name);

    [DoesNotReturn]
    private void ThrowParameters(int bytes) => throw new InvalidOperationException($"{Name} takes parameters of {_parameterBytes} bytes, not {bytes}.");
}
