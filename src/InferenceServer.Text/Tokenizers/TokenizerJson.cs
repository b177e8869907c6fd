using System.Text.Json;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Loading;

namespace InferenceServer.Text.Tokenizers;

/// <summary>Loads Hugging Face's tokenizer.json. Whatever is wrong with a file is an <see cref="InvalidDataException"/> that names file and field.</summary>
public static class TokenizerJson
{
    // The largest published files are about 35 MB; one that is far above is not a tokenizer.
    private const long BytesMost = 512L << 20;

    /// <exception cref="InvalidDataException">The file is not a tokenizer.json that this server understands.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ITokenizer Load(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Load(file, path);
    }

    /// <inheritdoc cref="Load(string)"/>
    /// <param name="json">Read to its end.</param>
    /// <param name="name">What error messages call the file.</param>
    public static ITokenizer Load(Stream json, string name)
    {
        using MemoryStream whole = new(json.CanSeek ? (int)Math.Clamp(json.Length - json.Position, 0, BytesMost) : 0);
        byte[] buffer = new byte[81_920];
        for (int read = json.Read(buffer); read > 0; read = json.Read(buffer))
        {
            if (whole.Length + read > BytesMost)
                throw new InvalidDataException($"{name}: more than {BytesMost >> 20} MB; a tokenizer.json is at most some tens of MB.");
            whole.Write(buffer, 0, read);
        }

        return Load(whole.GetBuffer().AsSpan(0, (int)whole.Length), name);
    }

    /// <inheritdoc cref="Load(string)"/>
    /// <param name="json">The whole file, UTF-8.</param>
    /// <param name="name">What error messages call the file.</param>
    public static ITokenizer Load(ReadOnlySpan<byte> json, string name)
    {
        if (json.StartsWith("\uFEFF"u8))
            json = json[3..];
        try
        {
            return new PipelineTokenizer(TokenizerFileReader.Read(json));
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{name}: {e.Message}", e);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{name}: not valid JSON, or cut off: {e.Message}", e);
        }
        catch (InvalidOperationException e) // a property name with an escaped lone surrogate
        {
            throw new InvalidDataException($"{name}: holds text that is not valid Unicode: {e.Message}", e);
        }
    }
}
