using System.Text;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// GPT-2's printable stand-ins for the 256 bytes, in which byte-level vocabularies are written ("Ġ" is a space).
/// Radford et al. 2019, <c>bytes_to_unicode</c> in their encoder.py.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] CharOfByte = BuildChars();
    private static readonly short[] ByteOfChar = BuildBytes();

    public static char ToChar(byte value) => CharOfByte[value];

    /// <summary>The byte a char stands for, or -1.</summary>
    public static int ToByte(int codePoint) => (uint)codePoint < (uint)ByteOfChar.Length ? ByteOfChar[codePoint] : -1;

    /// <summary>The bytes a token of the alphabet stands for; false if it holds anything outside the alphabet.</summary>
    /// <param name="content">UTF-8.</param>
    /// <param name="bytes">At least as long as <paramref name="content"/>.</param>
    /// <param name="length">Bytes written.</param>
    public static bool TryDecode(ReadOnlySpan<byte> content, Span<byte> bytes, out int length)
    {
        length = 0;
        while (!content.IsEmpty)
        {
            Rune.DecodeFromUtf8(content, out Rune rune, out int consumed);
            int value = ToByte(rune.Value);
            if (value < 0)
                return false;
            bytes[length++] = (byte)value;
            content = content[consumed..];
        }

        return true;
    }

    /// <summary>The text with each of its UTF-8 bytes replaced by its stand-in.</summary>
    public static string Encode(ReadOnlySpan<char> text)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return string.Create(bytes.Length, bytes, static (chars, from) =>
        {
            for (int i = 0; i < from.Length; i++)
                chars[i] = CharOfByte[from[i]];
        });
    }

    private static char[] BuildChars()
    {
        char[] chars = new char[256];
        int moved = 0;
        for (int b = 0; b < 256; b++)
            chars[b] = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : (char)(256 + moved++);
        return chars;
    }

    private static short[] BuildBytes()
    {
        short[] bytes = new short[512];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
            bytes[CharOfByte[b]] = (short)b;
        return bytes;
    }
}
