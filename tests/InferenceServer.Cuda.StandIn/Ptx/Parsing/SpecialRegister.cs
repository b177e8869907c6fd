using System.Text;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>The special registers the stand-in provides; those from <see cref="Clock64"/> on have 64 bits.</summary>
internal enum SpecialRegister : byte
{
    TidX, TidY, TidZ, NtidX, NtidY, NtidZ, CtaidX, CtaidY, CtaidZ, NctaidX, NctaidY, NctaidZ,
    Laneid, Warpid, Nwarpid, Smid, Nsmid, Gridid,
    LanemaskEq, LanemaskLt, LanemaskLe, LanemaskGt, LanemaskGe,
    DynamicSmemSize, TotalSmemSize, Clock, GlobaltimerLo,
    Clock64, Globaltimer,
}

internal static class SpecialRegisters
{
    private static readonly Dictionary<string, SpecialRegister> ByName = Enum.GetValues<SpecialRegister>().ToDictionary(NameOf);

    public static bool TryParse(string name, out SpecialRegister special) => ByName.TryGetValue(name, out special);

    /// <summary>TidX is %tid.x, LanemaskLt is %lanemask_lt.</summary>
    private static string NameOf(SpecialRegister special)
    {
        string words = special.ToString();
        StringBuilder name = new("%");
        for (int i = 0; i < words.Length; i++)
        {
            bool axis = i == words.Length - 1 && words[i] is >= 'X' and <= 'Z';
            if (i > 0 && char.IsUpper(words[i])) name.Append(axis ? '.' : '_');
            name.Append(char.ToLowerInvariant(words[i]));
        }
        return name.ToString();
    }
}
