using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.Blas;

// Numbers and structs of cublasLt.h, cublas_api.h and library_types.h; native/driver_signatures.c compares them with the real headers.

/// <summary>cublasStatus_t.</summary>
internal enum BlasStatus
{
    Success = 0,
    NotInitialized = 1,
    AllocFailed = 3,
    InvalidValue = 7,
    ArchMismatch = 8,
    MappingError = 11,
    ExecutionFailed = 13,
    InternalError = 14,
    NotSupported = 15,
}

/// <summary>cudaDataType_t.</summary>
internal enum BlasType
{
    F32 = 0,
    F16 = 2,
    BF16 = 14,
}

/// <summary>cublasComputeType_t.</summary>
internal enum BlasCompute
{
    F32 = 68,
}

/// <summary>cublasOperation_t.</summary>
internal enum BlasOperation
{
    None = 0,
    Transpose = 1,
}

/// <summary>cublasLtMatmulDescAttributes_t.</summary>
internal enum MatmulDescAttribute
{
    TransposeA = 3,
    TransposeB = 4,
}

/// <summary>cublasLtMatmulPreferenceAttributes_t.</summary>
internal enum PreferenceAttribute
{
    MaxWorkspaceBytes = 1,
    MinAlignmentABytes = 5,
    MinAlignmentBBytes = 6,
    MinAlignmentCBytes = 7,
    MinAlignmentDBytes = 8,
}

/// <summary>cublasLtMatmulAlgo_t: opaque, 64 bytes, plain data.</summary>
[InlineArray(8)]
internal struct MatmulAlgorithm
{
    private ulong _word;
}

/// <summary>cublasLtMatmulHeuristicResult_t: 96 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MatmulHeuristic
{
    public MatmulAlgorithm Algorithm;
    public nuint WorkspaceBytes;
    public BlasStatus State;
    public float Waves;
    public fixed int Reserved[4];
}
