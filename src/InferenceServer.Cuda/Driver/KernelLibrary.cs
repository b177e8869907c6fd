using System.Text;

namespace InferenceServer.Cuda.Driver;

/// <summary>
/// The kernels on one device. A family's PTX is assembled by the driver when a kernel of it is first asked for, or all of them at once by
/// <see cref="LoadAll"/>, and the binary is kept in a file cache. Functions stay valid until the library is disposed or the context reset.
/// </summary>
internal sealed unsafe class KernelLibrary : IDisposable
{
    private readonly CudaContext _context;
    private readonly KernelSource _source;
    private readonly CubinCache _cache;
    private readonly Action<string>? _log;
    private readonly int _generation;
    private readonly Dictionary<string, string> _familyOf = []; // kernel -> family
    private readonly Dictionary<string, nint> _modules = []; // family -> handle
    private readonly Lock _lock = new();

    /// <param name="source">Null: what is embedded in this assembly.</param>
    /// <param name="cache">Null: the default folder.</param>
    /// <param name="log">Told what the assembler said and what the cache could not do.</param>
    /// <exception cref="CudaUnavailableException">Built without kernels.</exception>
    public KernelLibrary(CudaContext context, KernelSource? source = null, CubinCache? cache = null, Action<string>? log = null)
    {
        _context = context;
        _source = source ?? KernelSource.Embedded;
        _cache = cache ?? new CubinCache(CubinCache.DefaultFolder(), log);
        _log = log;
        _generation = context.Generation;
        Arch = context.ComputeCapability.KernelArch;
        if (_source.Families(Arch).Count == 0) Arch = new ComputeCapability(8, 0).KernelArch;
        Families = _source.Families(Arch);
        if (Families.Count == 0) throw CudaUnavailableException.NoKernels();
        foreach (string family in Families)
            foreach (string kernel in PtxText.Kernels(_source.Ptx(Arch, family)))
                if (!_familyOf.TryAdd(kernel, family)) throw new InvalidOperationException($"The kernel {kernel} is in two families, {_familyOf[kernel]} and {family}.");
    }

    /// <summary>sm_90a or sm_80: which of the embedded kernels this device runs.</summary>
    public string Arch { get; }

    public IReadOnlyList<string> Families { get; }

    /// <summary>Names of all kernels.</summary>
    public IReadOnlyCollection<string> Kernels => _familyOf.Keys;

    /// <summary>Families that had to be assembled, because the cache had none.</summary>
    public int FamiliesAssembled { get; private set; }

    public bool Has(string kernel) => _familyOf.ContainsKey(kernel);

    /// <summary>A kernel by its name.</summary>
    /// <typeparam name="TParams">The one struct it takes; its size is compared with the module's.</typeparam>
    /// <exception cref="CudaUnavailableException">The driver does not take the kernels.</exception>
    public CudaFunction Function<TParams>(string name)
        where TParams : unmanaged
    {
        if (!_familyOf.TryGetValue(name, out string? family)) throw new ArgumentException($"There is no kernel {name} for {Arch}.", nameof(name));
        nint function;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0"))
            _context.Api.Check(_context.Api.ModuleGetFunction(&function, Module(family), text), "cuModuleGetFunction", name);
        CheckParameters(function, name, sizeof(TParams));
        return new CudaFunction(_context, function, name, sizeof(TParams));
    }

    /// <summary>Assembles or reads every family, several at a time: on a machine's first start this is what it waits for.</summary>
    public void LoadAll()
    {
        try
        {
            Parallel.ForEach(Families, family =>
            {
                _context.MakeCurrent();
                Module(family);
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<CudaUnavailableException>().FirstOrDefault() is { } first)
        {
            throw new CudaUnavailableException(first.Problem, first.Message, e);
        }
    }

    public void Dispose()
    {
        if (_generation == _context.Generation)
            foreach (nint module in _modules.Values) _ = _context.Api.ModuleUnload(module); // answers with the context's fault, if it has one
        _modules.Clear();
    }

    private nint Module(string family)
    {
        lock (_lock)
            if (_modules.TryGetValue(family, out nint known)) return known;

        nint module = Load(family); // outside the lock: assembling takes seconds and runs in parallel
        lock (_lock)
        {
            if (_modules.TryAdd(family, module)) return module;
            _ = _context.Api.ModuleUnload(module); // another thread was faster; an unused copy that stays costs a little memory
            return _modules[family];
        }
    }

    private nint Load(string family)
    {
        byte[] ptx = _source.Ptx(Arch, family);
        string key = CubinCache.Key(ptx, _context.DriverVersion, _context.Name, _context.ComputeCapability, PtxAssembler.Options);
        nint module;
        if (_cache.TryRead(key) is { } cached)
        {
            CudaError result = LoadBinary(cached, &module);
            if (result == CudaError.Success) return module;
            _log?.Invoke($"The driver did not take {family} from the kernel cache ({_context.Api.ErrorName(result)}); assembling again.");
            _cache.Forget(key);
        }

        (CudaError assembled, string call, byte[] cubin) = PtxAssembler.Assemble(_context.Api, ptx, $"{family}.ptx", out string log);
        if (assembled != CudaError.Success) Refuse(assembled, call, family, log);
        if (log.Length > 0) _log?.Invoke($"{family}: {log}");
        _context.Api.Check(LoadBinary(cubin, &module), "cuModuleLoadDataEx", family);
        _cache.TryWrite(key, cubin);
        lock (_lock) FamiliesAssembled++;
        return module;
    }

    private CudaError LoadBinary(byte[] cubin, nint* module)
    {
        fixed (byte* image = cubin) return _context.Api.ModuleLoadDataEx(module, image, 0, null, null);
    }

    private void Refuse(CudaError result, string call, string family, string log)
    {
        CudaException inner = new(call, result, _context.Api.ErrorName(result), _context.Api.ErrorText(result), family);
        throw result switch
        {
            CudaError.JitCompilerNotFound => CudaUnavailableException.NoPtxCompiler(inner),
            CudaError.NoBinaryForGpu or CudaError.InvalidPtx or CudaError.InvalidImage or CudaError.UnsupportedPtxVersion => CudaUnavailableException.BadKernels(family, Arch, log, inner),
            _ => inner,
        };
    }

    private void CheckParameters(nint function, string name, int bytes)
    {
        if (_context.Api.FuncGetParamInfo == null) return;
        nuint offset, size;
        _context.Api.Check(_context.Api.FuncGetParamInfo(function, 0, &offset, &size), "cuFuncGetParamInfo", name);
        bool more = _context.Api.FuncGetParamInfo(function, 1, &offset, null) == CudaError.Success;
        if ((int)size != bytes || more)
            throw new InvalidOperationException($"{name} takes {(more ? "more than one parameter" : $"a struct of {size} bytes")}, and C# would pass {bytes}: params.cuh and KernelParams.cs differ.");
    }
}
