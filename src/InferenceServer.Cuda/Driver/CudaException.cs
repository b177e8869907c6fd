namespace InferenceServer.Cuda.Driver;

/// <summary>
/// A driver call that failed. The message names the call, the error and, where one was launched, the kernel. Work is asynchronous:
/// a kernel's fault may be reported by a later call, whose exception then names the last kernel launched as a hint.
/// </summary>
internal sealed class CudaException : Exception
{
    /// <param name="call">As cuda.h names it.</param>
    /// <param name="errorName">E.g. CUDA_ERROR_ILLEGAL_ADDRESS.</param>
    /// <param name="detail">The driver's sentence, or ours.</param>
    /// <param name="kernel">The kernel it was about, if any.</param>
    public CudaException(string call, CudaError error, string errorName, string detail, string? kernel = null, Exception? inner = null)
        : base($"{call}{(kernel is null ? "" : $" of {kernel}")}: {errorName} ({(int)error}): {detail}", inner)
    {
        Call = call;
        Error = error;
        Kernel = kernel;
    }

    private CudaException(string call, string message)
        : base(message)
    {
        Call = call;
        Error = CudaError.Unknown;
    }

    /// <summary>A call of cuBLASLt that failed; its numbers are not the driver's.</summary>
    public static CudaException OfBlas(string call, int status, string statusName, string detail) => new(call, $"{call}: {statusName} ({status}): {detail}");

    public string Call { get; }

    public CudaError Error { get; }

    public string? Kernel { get; }

    /// <summary>The context is lost: every later call answers the same until <see cref="CudaContext.Reset"/>.</summary>
    public bool IsSticky => IsStickyError(Error);

    public static bool IsStickyError(CudaError error) => error is CudaError.EccUncorrectable or CudaError.IllegalAddress or CudaError.LaunchTimeout
        or CudaError.ContextIsDestroyed or (>= CudaError.Assert and <= CudaError.LaunchFailed and not (CudaError)711 and not (CudaError)712 and not (CudaError)713);
}
