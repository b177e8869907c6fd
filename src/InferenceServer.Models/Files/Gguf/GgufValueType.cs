namespace InferenceServer.Models.Files.Gguf;

/// <summary>Types of metadata values; the numbers are the format's.</summary>
internal enum GgufValueType : uint
{
    UInt8 = 0,
    Int8 = 1,
    UInt16 = 2,
    Int16 = 3,
    UInt32 = 4,
    Int32 = 5,
    Float32 = 6,
    Bool = 7,
    Text = 8,
    Array = 9,
    UInt64 = 10,
    Int64 = 11,
    Float64 = 12,
}

internal static class GgufValueTypes
{
    /// <summary>Bytes of one value; 0 for texts and arrays, whose length is written before them.</summary>
    public static int Bytes(this GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };
}

/// <summary>Where a metadata value lies in the file; it is decoded only when asked for.</summary>
/// <param name="Type">Of the value, or of an array's items.</param>
/// <param name="IsArray">Whether it is an array.</param>
/// <param name="Count">Items; 1 if it is no array. All of them were found to lie inside the file.</param>
/// <param name="Offset">Of the first item, in bytes from the start of the file.</param>
internal readonly record struct GgufValue(GgufValueType Type, bool IsArray, long Count, long Offset);
