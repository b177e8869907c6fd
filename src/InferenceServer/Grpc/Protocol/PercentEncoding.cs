using System.Text;

namespace InferenceServer.Grpc.Protocol;

/// <summary>grpc-message: UTF-8 with everything outside printable ASCII, and '%', as %XX (grpc/grpc, doc/PROTOCOL-HTTP2.md).</summary>
internal static class PercentEncoding
{
    private const int MaxBytes = 2048; // clients bound their headers at 8 KB, and one byte becomes up to three

    public static string Encode(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        ReadOnlySpan<byte> kept = bytes.AsSpan(0, WholeCharacters(bytes));
        StringBuilder encoded = new(kept.Length);
        foreach (byte b in kept)
        {
            if (b is >= 0x20 and <= 0x7e and not (byte)'%') encoded.Append((char)b);
            else encoded.Append('%').Append(b.ToString("X2"));
        }

        return encoded.ToString();
    }

    /// <summary>How much of a long text to keep without cutting a character.</summary>
    private static int WholeCharacters(byte[] utf8)
    {
        if (utf8.Length <= MaxBytes) return utf8.Length;
        int end = MaxBytes;
        while ((utf8[end] & 0xC0) == 0x80) end--; // a continuation byte
        return end;
    }
}
