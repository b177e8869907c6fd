using System.Text;

namespace InferenceServer.Cuda.Driver;

/// <summary>The little that has to be read out of PTX here: which kernels it declares.</summary>
internal static class PtxText
{
    /// <summary>Names after `.entry`, in order.</summary>
    public static List<string> Kernels(ReadOnlySpan<byte> ptx)
    {
        List<string> names = [];
        ReadOnlySpan<byte> word = ".entry "u8;
        for (int at = ptx.IndexOf(word); at >= 0; at = ptx.IndexOf(word))
        {
            ptx = ptx[(at + word.Length)..].TrimStart((byte)' ');
            int end = ptx.IndexOfAny("( \t\r\n"u8);
            if (end < 0) break;
            names.Add(Encoding.UTF8.GetString(ptx[..end]));
        }

        return names;
    }
}
