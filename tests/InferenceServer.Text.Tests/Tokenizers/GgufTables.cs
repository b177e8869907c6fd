using System.Text;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>Reads the tokenizer.ggml.* fields of a published GGUF file: as much of the format as test data needs, trusting it.</summary>
internal static class GgufTables
{
    private const int String = 8;
    private const int Array = 9;

    public static TokenizerTables Read(string path)
    {
        using BinaryReader file = new(File.OpenRead(path));
        file.ReadUInt32(); // magic
        file.ReadUInt32(); // version
        file.ReadInt64();  // tensors
        Dictionary<string, object> fields = [];
        for (long left = file.ReadInt64(); left > 0; left--)
            fields[ReadString(file)] = ReadValue(file, file.ReadInt32());
        return new TokenizerTables
        {
            Source = Path.GetFileName(path),
            Model = (string)Field("model")!,
            Pre = (string?)Field("pre"),
            Tokens = List<string>("tokens"),
            Scores = List<float>("scores"),
            Types = List<int>("token_type"),
            Merges = List<string>("merges"),
            BosToken = (int?)(uint?)Field("bos_token_id"),
            EosToken = (int?)(uint?)Field("eos_token_id"),
            UnknownToken = (int?)(uint?)Field("unknown_token_id"),
            AddBos = (bool?)Field("add_bos_token"),
            AddEos = (bool?)Field("add_eos_token"),
            AddSpacePrefix = (bool?)Field("add_space_prefix"),
        };

        object? Field(string name) => fields.GetValueOrDefault("tokenizer.ggml." + name);
        T[] List<T>(string name) => Field(name) is object[] items ? [.. items.Cast<T>()] : [];
    }

    private static object ReadValue(BinaryReader file, int type) => type switch
    {
        0 => file.ReadByte(),
        1 => file.ReadSByte(),
        2 => file.ReadUInt16(),
        3 => file.ReadInt16(),
        4 => file.ReadUInt32(),
        5 => file.ReadInt32(),
        6 => file.ReadSingle(),
        7 => file.ReadByte() != 0,
        String => ReadString(file),
        Array => ReadArray(file),
        10 => file.ReadUInt64(),
        11 => file.ReadInt64(),
        12 => file.ReadDouble(),
        _ => throw new InvalidDataException($"type {type}"),
    };

    private static object[] ReadArray(BinaryReader file)
    {
        int type = file.ReadInt32();
        object[] items = new object[file.ReadInt64()];
        for (int i = 0; i < items.Length; i++)
            items[i] = ReadValue(file, type);
        return items;
    }

    private static string ReadString(BinaryReader file) => Encoding.UTF8.GetString(file.ReadBytes((int)file.ReadInt64()));
}
