using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.Blas;

/// <summary>
/// cuBLASLt as a table of function pointers, named like cublasLt.h without "cublasLt". It is no part of the driver and may be absent; our
/// own GEMM then does its work, slower for large batches. Immutable; the library is thread-safe.
/// </summary>
internal sealed unsafe class CublasLtApi
{
    /// <summary>Newest first. The folder is where the toolkit's packages put it without telling the loader.</summary>
    private static readonly (int Major, string Name)[] Candidates =
    [
        (13, "libcublasLt.so.13"), (13, "/usr/local/cuda/lib64/libcublasLt.so.13"),
        (12, "libcublasLt.so.12"), (12, "/usr/local/cuda/lib64/libcublasLt.so.12"),
    ];

    /// <param name="library">What it was loaded from, for reports.</param>
    /// <param name="export">The address of a function by its exported name, 0 if there is none.</param>
    /// <exception cref="EntryPointNotFoundException">The library lacks a function.</exception>
    public CublasLtApi(string library, Func<string, nint> export)
    {
        Library = library;
        GetVersion = (delegate* unmanaged<nuint>)Need(export, "cublasLtGetVersion");
        GetStatusName = (delegate* unmanaged<BlasStatus, byte*>)Need(export, "cublasLtGetStatusName");
        Create = (delegate* unmanaged<nint*, BlasStatus>)Need(export, "cublasLtCreate");
        Destroy = (delegate* unmanaged<nint, BlasStatus>)Need(export, "cublasLtDestroy");
        MatmulDescCreate = (delegate* unmanaged<nint*, BlasCompute, BlasType, BlasStatus>)Need(export, "cublasLtMatmulDescCreate");
        MatmulDescDestroy = (delegate* unmanaged<nint, BlasStatus>)Need(export, "cublasLtMatmulDescDestroy");
        MatmulDescSetAttribute = (delegate* unmanaged<nint, MatmulDescAttribute, void*, nuint, BlasStatus>)Need(export, "cublasLtMatmulDescSetAttribute");
        MatrixLayoutCreate = (delegate* unmanaged<nint*, BlasType, ulong, ulong, long, BlasStatus>)Need(export, "cublasLtMatrixLayoutCreate");
        MatrixLayoutDestroy = (delegate* unmanaged<nint, BlasStatus>)Need(export, "cublasLtMatrixLayoutDestroy");
        MatmulPreferenceCreate = (delegate* unmanaged<nint*, BlasStatus>)Need(export, "cublasLtMatmulPreferenceCreate");
        MatmulPreferenceDestroy = (delegate* unmanaged<nint, BlasStatus>)Need(export, "cublasLtMatmulPreferenceDestroy");
        MatmulPreferenceSetAttribute = (delegate* unmanaged<nint, PreferenceAttribute, void*, nuint, BlasStatus>)Need(export, "cublasLtMatmulPreferenceSetAttribute");
        MatmulAlgoGetHeuristic = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, MatmulHeuristic*, int*, BlasStatus>)Need(export, "cublasLtMatmulAlgoGetHeuristic");
        Matmul = (delegate* unmanaged<nint, nint, void*, ulong, nint, ulong, nint, void*, ulong, nint, ulong, nint, MatmulAlgorithm*, ulong, nuint, nint, BlasStatus>)Need(export, "cublasLtMatmul");
    }

    public readonly delegate* unmanaged<nuint> GetVersion;
    public readonly delegate* unmanaged<BlasStatus, byte*> GetStatusName;
    public readonly delegate* unmanaged<nint*, BlasStatus> Create;
    public readonly delegate* unmanaged<nint, BlasStatus> Destroy;
    public readonly delegate* unmanaged<nint*, BlasCompute, BlasType, BlasStatus> MatmulDescCreate;
    public readonly delegate* unmanaged<nint, BlasStatus> MatmulDescDestroy;
    public readonly delegate* unmanaged<nint, MatmulDescAttribute, void*, nuint, BlasStatus> MatmulDescSetAttribute;

    /// <summary>(layout out, type, rows, columns, leading dimension); column-major.</summary>
    public readonly delegate* unmanaged<nint*, BlasType, ulong, ulong, long, BlasStatus> MatrixLayoutCreate;
    public readonly delegate* unmanaged<nint, BlasStatus> MatrixLayoutDestroy;
    public readonly delegate* unmanaged<nint*, BlasStatus> MatmulPreferenceCreate;
    public readonly delegate* unmanaged<nint, BlasStatus> MatmulPreferenceDestroy;
    public readonly delegate* unmanaged<nint, PreferenceAttribute, void*, nuint, BlasStatus> MatmulPreferenceSetAttribute;

    /// <summary>(handle, desc, A, B, C, D layouts, preference, wanted, results out, found out).</summary>
    public readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, MatmulHeuristic*, int*, BlasStatus> MatmulAlgoGetHeuristic;

    /// <summary>(handle, desc, alpha, A, layout, B, layout, beta, C, layout, D, layout, algorithm, workspace, its bytes, stream).</summary>
    public readonly delegate* unmanaged<nint, nint, void*, ulong, nint, ulong, nint, void*, ulong, nint, ulong, nint, MatmulAlgorithm*, ulong, nuint, nint, BlasStatus> Matmul;

    /// <summary>File name it came from.</summary>
    public string Library { get; }

    /// <summary>E.g. "12.6.4".</summary>
    public string Version
    {
        get
        {
            nuint v = GetVersion();
            return $"{v / 10000}.{v / 100 % 100}.{v % 100}";
        }
    }

    /// <summary>The newest one found that this driver can run; null if there is none.</summary>
    /// <param name="driverVersion">As the driver says it; a library of CUDA 13 needs a driver of 13.</param>
    /// <param name="names">Other names to try, for tests.</param>
    public static CublasLtApi? TryLoad(int driverVersion, params string[] names)
    {
        IEnumerable<string> candidates = names.Length > 0 ? names : Candidates.Where(c => c.Major * 1000 <= driverVersion).Select(c => c.Name);
        foreach (string name in candidates)
        {
            if (!NativeLibrary.TryLoad(name, out nint handle)) continue;
            try
            {
                return new CublasLtApi(name, function => NativeLibrary.TryGetExport(handle, function, out nint address) ? address : 0);
            }
            catch (EntryPointNotFoundException)
            {
                NativeLibrary.Free(handle); // something else of that name; the next may do
            }
        }

        return null;
    }

    /// <summary>E.g. CUBLAS_STATUS_NOT_SUPPORTED.</summary>
    public string StatusName(BlasStatus status)
    {
        byte* name = GetStatusName(status);
        return name == null ? status.ToString() : Marshal.PtrToStringUTF8((nint)name)!;
    }

    private static nint Need(Func<string, nint> export, string name)
    {
        nint address = export(name);
        if (address == 0) throw new EntryPointNotFoundException($"cuBLASLt has no {name}.");
        return address;
    }
}
