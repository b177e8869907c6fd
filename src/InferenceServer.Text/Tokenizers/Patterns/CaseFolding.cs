namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>Case-insensitive matching as Oniguruma does it for single characters.</summary>
internal static class CaseFolding
{
    public static Func<int, bool> Ignore(Func<int, bool> rule) => c =>
    {
        if (rule(c))
            return true;
        return c switch
        {
            'ſ' => rule('s') || rule('S'),
            'K' => rule('k') || rule('K'), // the Kelvin sign
            <= 0xFFFF when !char.IsSurrogate((char)c) => rule(char.ToLowerInvariant((char)c)) || rule(char.ToUpperInvariant((char)c)),
            _ => false,
        };
    };
}
