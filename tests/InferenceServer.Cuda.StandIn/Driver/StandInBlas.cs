using System.Runtime.InteropServices;
using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>
/// cuBLASLt as a plain product, enqueued like a kernel: column-major, with the checks of shapes, types, leading dimensions, alignment and memory
/// bounds that the library makes or leaves to a fault. Offers two algorithms, so that choosing one is exercised.
/// </summary>
internal static unsafe class StandInBlas
{
    private const ulong FirstAlgorithm = 0xB1A5_0001;
    private const int Algorithms = 2;

    /// <summary>The table that the server is given in place of the library's.</summary>
    public static CublasLtApi Api { get; } = new("stand-in cuBLASLt", Export);

    /// <summary>Products that were enqueued since the process began.</summary>
    public static int Products { get; private set; }

    private static StandInDevice Device => StandInDriver.Current;

    private static nint Export(string name) => name switch
    {
        "cublasLtGetVersion" => (nint)(delegate* unmanaged<nuint>)&GetVersion,
        "cublasLtGetStatusName" => (nint)(delegate* unmanaged<BlasStatus, byte*>)&GetStatusName,
        "cublasLtCreate" => (nint)(delegate* unmanaged<nint*, BlasStatus>)&Create,
        "cublasLtDestroy" => (nint)(delegate* unmanaged<nint, BlasStatus>)&Destroy,
        "cublasLtMatmulDescCreate" => (nint)(delegate* unmanaged<nint*, BlasCompute, BlasType, BlasStatus>)&DescCreate,
        "cublasLtMatmulDescDestroy" => (nint)(delegate* unmanaged<nint, BlasStatus>)&Destroy,
        "cublasLtMatmulDescSetAttribute" => (nint)(delegate* unmanaged<nint, MatmulDescAttribute, void*, nuint, BlasStatus>)&DescSet,
        "cublasLtMatrixLayoutCreate" => (nint)(delegate* unmanaged<nint*, BlasType, ulong, ulong, long, BlasStatus>)&LayoutCreate,
        "cublasLtMatrixLayoutDestroy" => (nint)(delegate* unmanaged<nint, BlasStatus>)&Destroy,
        "cublasLtMatmulPreferenceCreate" => (nint)(delegate* unmanaged<nint*, BlasStatus>)&Create,
        "cublasLtMatmulPreferenceDestroy" => (nint)(delegate* unmanaged<nint, BlasStatus>)&Destroy,
        "cublasLtMatmulPreferenceSetAttribute" => (nint)(delegate* unmanaged<nint, PreferenceAttribute, void*, nuint, BlasStatus>)&PreferenceSet,
        "cublasLtMatmulAlgoGetHeuristic" => (nint)(delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, MatmulHeuristic*, int*, BlasStatus>)&Heuristic,
        "cublasLtMatmul" => (nint)(delegate* unmanaged<nint, nint, void*, ulong, nint, ulong, nint, void*, ulong, nint, ulong, nint, MatmulAlgorithm*, ulong, nuint, nint, BlasStatus>)&Matmul,
        _ => 0,
    };

    private sealed class Plain;

    private sealed class Description
    {
        public bool TransposeA, TransposeB;
    }

    private sealed record Layout(BlasType Type, int Rows, int Columns, long Leading)
    {
        public int ElementBytes => Type == BlasType.F32 ? 4 : 2;

        public long Bytes => ((Columns - 1) * Leading + Rows) * ElementBytes;
    }

    [UnmanagedCallersOnly]
    private static nuint GetVersion() => 120604;

    [UnmanagedCallersOnly]
    private static byte* GetStatusName(BlasStatus status) => null;

    [UnmanagedCallersOnly]
    private static BlasStatus Create(nint* handle)
    {
        lock (Device.Gate) *handle = Device.Add(new Plain());
        return BlasStatus.Success;
    }

    [UnmanagedCallersOnly]
    private static BlasStatus Destroy(nint handle)
    {
        lock (Device.Gate) return Device.Remove<object>(handle) ? BlasStatus.Success : BlasStatus.InvalidValue;
    }

    [UnmanagedCallersOnly]
    private static BlasStatus DescCreate(nint* desc, BlasCompute compute, BlasType scale)
    {
        if (compute != BlasCompute.F32 || scale != BlasType.F32) return BlasStatus.NotSupported;
        lock (Device.Gate) *desc = Device.Add(new Description());
        return BlasStatus.Success;
    }

    [UnmanagedCallersOnly]
    private static BlasStatus DescSet(nint handle, MatmulDescAttribute attribute, void* value, nuint bytes)
    {
        lock (Device.Gate)
        {
            if (!Device.TryGet(handle, out Description desc) || bytes != sizeof(BlasOperation)) return BlasStatus.InvalidValue;
            bool transpose = *(BlasOperation*)value == BlasOperation.Transpose;
            if (attribute == MatmulDescAttribute.TransposeA) desc.TransposeA = transpose;
            else if (attribute == MatmulDescAttribute.TransposeB) desc.TransposeB = transpose;
            else return BlasStatus.NotSupported;
            return BlasStatus.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static BlasStatus LayoutCreate(nint* layout, BlasType type, ulong rows, ulong columns, long leading)
    {
        if (rows == 0 || columns == 0 || leading < (long)rows) return BlasStatus.InvalidValue;
        lock (Device.Gate) *layout = Device.Add(new Layout(type, (int)rows, (int)columns, leading));
        return BlasStatus.Success;
    }

    [UnmanagedCallersOnly]
    private static BlasStatus PreferenceSet(nint preference, PreferenceAttribute attribute, void* value, nuint bytes)
    {
        lock (Device.Gate) return Device.TryGet(preference, out Plain _) && Enum.IsDefined(attribute) ? BlasStatus.Success : BlasStatus.InvalidValue;
    }

    [UnmanagedCallersOnly]
    private static BlasStatus Heuristic(nint handle, nint desc, nint a, nint b, nint c, nint d, nint preference, int wanted, MatmulHeuristic* found, int* count)
    {
        lock (Device.Gate)
        {
            if (!Fits(desc, a, b, d)) return BlasStatus.InvalidValue;
            *count = Math.Min(wanted, Algorithms);
            for (int i = 0; i < *count; i++)
            {
                found[i] = default;
                found[i].Algorithm[0] = FirstAlgorithm + (ulong)i;
            }

            return BlasStatus.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static BlasStatus Matmul(
        nint handle, nint descHandle, void* alpha, ulong a, nint aHandle, ulong b, nint bHandle, void* beta, ulong c, nint cHandle, ulong d, nint dHandle,
        MatmulAlgorithm* algorithm, ulong workspace, nuint workspaceBytes, nint streamHandle)
    {
        lock (Device.Gate)
        {
            if (Device.Sticky != CudaError.Success) return BlasStatus.ExecutionFailed;
            if (!Fits(descHandle, aHandle, bHandle, dHandle) || !Device.TryGet(streamHandle, out StandInStream stream)) return BlasStatus.InvalidValue;
            if ((*algorithm)[0] - FirstAlgorithm >= Algorithms || *(float*)alpha != 1 || *(float*)beta != 0) return BlasStatus.NotSupported;
            Device.TryGet(aHandle, out Layout la);
            Device.TryGet(bHandle, out Layout lb);
            Device.TryGet(dHandle, out Layout ld);
            if ((a | b | d | workspace) % 16 != 0) return BlasStatus.InvalidValue;
            if (!Device.Memory.Holds(workspace, (long)workspaceBytes, pinned: false)) return BlasStatus.InvalidValue;
            Products++;
            stream.Enqueue(new StreamWork { Kind = StreamWorkKind.MatrixProduct, Library = () => Multiply(a, la, b, lb, d, ld) });
            return BlasStatus.Success;
        }
    }

    /// <summary>A transposed (k, m), B (k, n), D (m, n): the one form that is used.</summary>
    private static bool Fits(nint descHandle, nint aHandle, nint bHandle, nint dHandle) =>
        Device.TryGet(descHandle, out Description desc) && Device.TryGet(aHandle, out Layout a) && Device.TryGet(bHandle, out Layout b) && Device.TryGet(dHandle, out Layout d)
        && desc.TransposeA && !desc.TransposeB && a.Rows == b.Rows && a.Columns == d.Rows && b.Columns == d.Columns && a.Type == b.Type && a.Type != BlasType.F32
        && (d.Type == a.Type || d.Type == BlasType.F32);

    private static void Multiply(ulong a, Layout la, ulong b, Layout lb, ulong d, Layout ld)
    {
        if (!Device.Memory.Holds(a, la.Bytes, pinned: false) || !Device.Memory.Holds(b, lb.Bytes, pinned: false) || !Device.Memory.Holds(d, ld.Bytes, pinned: false))
        {
            Device.Fault(CudaError.IllegalAddress, "cublasLtMatmul: an operand is not, or no longer, device memory");
            return;
        }

        for (int column = 0; column < ld.Columns; column++)
            for (int row = 0; row < ld.Rows; row++)
            {
                float sum = 0;
                for (int k = 0; k < la.Rows; k++) sum += Read(a, la, row * la.Leading + k) * Read(b, lb, column * lb.Leading + k);
                Write(d, ld, column * ld.Leading + row, sum);
            }
    }

    private static float Read(ulong address, Layout layout, long index)
    {
        ushort bits = ((ushort*)address)[index];
        return layout.Type == BlasType.F16 ? (float)BitConverter.UInt16BitsToHalf(bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16);
    }

    private static void Write(ulong address, Layout layout, long index, float value)
    {
        if (layout.Type == BlasType.F32) ((float*)address)[index] = value;
        else if (layout.Type == BlasType.F16) ((ushort*)address)[index] = BitConverter.HalfToUInt16Bits((Half)value);
        else
        {
            uint bits = BitConverter.SingleToUInt32Bits(value);
            ((ushort*)address)[index] = (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }
}
