namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>A variable as declared: <c>.align 4 .b8 name[16] = {1, 2}</c>.</summary>
internal readonly record struct VariableDeclaration(string Name, PtxType Type, int Align, int Size, byte[]? Initial)
{
    /// <summary>Reads what follows the state space. An array without a length has size 0.</summary>
    public static VariableDeclaration Parse(PtxReader reader)
    {
        int align = 0, vector = 1;
        ReadOnlySpan<char> word = reader.Word();
        if (word.SequenceEqual(".align"))
        {
            align = reader.Count();
            word = reader.Word();
        }
        if (word is ".v2" or ".v4")
        {
            vector = word[2] - '0';
            word = reader.Word();
        }
        if (word[0] != '.' || !PtxTypes.TryParse(word[1..], out PtxType type) || type == PtxType.Pred) { reader.Fail($"{word} is no type of a variable"); return default; }
        while (reader.Peek() == '.') SkipAttribute(reader);
        string name = reader.Word().ToString();
        int elements = vector;
        while (reader.Take('['))
        {
            elements = reader.Peek() == ']' ? 0 : checked(elements * reader.Count());
            reader.Expect(']');
        }
        byte[]? initial = reader.Take('=') ? Initialiser(reader, type, elements) : null;
        return new(name, type, align == 0 ? type.Bytes() * vector : align, elements * type.Bytes(), initial);
    }

    /// <summary>.ptr .global .align 16, which tells of what a parameter points to.</summary>
    private static void SkipAttribute(PtxReader reader)
    {
        ReadOnlySpan<char> word = reader.Word();
        if (word is ".align") _ = reader.Count();
        else if (word is not (".ptr" or ".global" or ".shared" or ".const" or ".local")) reader.Fail($"unknown attribute {word}");
    }

    private static byte[] Initialiser(PtxReader reader, PtxType type, int elements)
    {
        int width = type.Bytes(), at = 0;
        byte[] bytes = new byte[elements * width];
        bool list = reader.Take('{');
        do
        {
            if (!reader.NextIsNumber()) reader.Fail("only numbers may initialise a variable here");
            ulong value = reader.Number(type, out _);
            if (at + width > bytes.Length) reader.Fail("more initial values than elements");
            for (int i = 0; i < width; i++) bytes[at++] = (byte)(value >> (8 * i));
        }
        while (list && reader.Take(','));
        if (list) reader.Expect('}');
        return bytes;
    }
}
