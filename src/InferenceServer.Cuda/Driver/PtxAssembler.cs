using System.Text;

namespace InferenceServer.Cuda.Driver;

/// <summary>The driver's own assembler (cuLink): PTX in, a binary for this device out, and what it said on the way.</summary>
internal static unsafe class PtxAssembler
{
    /// <summary>Part of the cache's key: change it with what is asked of the assembler.</summary>
    public const string Options = "O4";

    private const int LogBytes = 16 << 10;
    private const int OptimizationLevel = 4; // the driver's default, said so that the key is true

    /// <param name="ptx">UTF-8 text.</param>
    /// <param name="log">What the assembler said: registers, spills, or why it refused.</param>
    /// <returns>The result and, if it is Success, the binary.</returns>
    public static (CudaError Result, string Call, byte[] Cubin) Assemble(DriverApi api, ReadOnlySpan<byte> ptx, string name, out string log)
    {
        byte[] infoLog = new byte[LogBytes], errorLog = new byte[LogBytes];
        byte[] text = new byte[ptx.Length + 1]; // the driver wants a closing zero
        ptx.CopyTo(text);
        fixed (byte* info = infoLog, error = errorLog, input = text, label = Encoding.UTF8.GetBytes(name + "\0"))
        {
            JitOption* options = stackalloc JitOption[6];
            void** values = stackalloc void*[6];
            options[0] = JitOption.InfoLogBuffer;
            values[0] = info;
            options[1] = JitOption.InfoLogBufferSizeBytes;
            values[1] = (void*)LogBytes;
            options[2] = JitOption.ErrorLogBuffer;
            values[2] = error;
            options[3] = JitOption.ErrorLogBufferSizeBytes;
            values[3] = (void*)LogBytes;
            options[4] = JitOption.LogVerbose;
            values[4] = (void*)1;
            options[5] = JitOption.OptimizationLevel;
            values[5] = (void*)OptimizationLevel;

            nint link;
            byte[] cubin = [];
            string call = "cuLinkCreate";
            CudaError result = api.LinkCreate(6, options, values, &link);
            if (result == CudaError.Success)
            {
                call = "cuLinkAddData";
                result = api.LinkAddData(link, JitInputType.Ptx, input, (nuint)text.Length, label, 0, null, null);
                if (result == CudaError.Success)
                {
                    call = "cuLinkComplete";
                    void* output;
                    nuint bytes;
                    result = api.LinkComplete(link, &output, &bytes);
                    if (result == CudaError.Success) cubin = new ReadOnlySpan<byte>(output, (int)bytes).ToArray();
                }

                _ = api.LinkDestroy(link); // after a refusal it may refuse as well; the refusal is what counts
            }

            log = Join(errorLog, infoLog);
            return (result, call, cubin);
        }
    }

    private static string Join(byte[] errors, byte[] info)
    {
        string[] parts = [Text(errors), Text(info)];
        return string.Join('\n', parts.Where(p => p.Length > 0));
    }

    private static string Text(byte[] log)
    {
        int end = Array.IndexOf(log, (byte)0);
        return Encoding.UTF8.GetString(log, 0, end < 0 ? log.Length : end).Trim();
    }
}
