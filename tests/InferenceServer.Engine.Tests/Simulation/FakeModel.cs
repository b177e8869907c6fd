namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>
/// A model without weights: the next token is a function of everything before it, of the seed and of the position,
/// so that one wrong token anywhere in a history changes everything after it.
/// </summary>
internal static class FakeModel
{
    public const ulong EmptyHistory = 0x243F6A8885A308D3;

    /// <summary>The history after one more token.</summary>
    public static ulong Extend(ulong history, int token) => Mix(history, (uint)token);

    public static int Choose(ulong history, ulong seed, int position, int generated, int vocabulary) =>
        (int)(Draw(history, seed, position, generated) % (ulong)vocabulary);

    /// <summary>Whether this row is one that fails, about one in <paramref name="oneIn"/>; 0: never.</summary>
    public static bool Fails(ulong history, ulong seed, int oneIn) => oneIn > 0 && Mix(Mix(history, seed), 0xFA11) % (ulong)oneIn == 0;

    public static float Score(ulong history, int target) => -(float)(Mix(history, (uint)target) % 1000) / 100;

    private static ulong Draw(ulong history, ulong seed, int position, int generated) =>
        Mix(Mix(Mix(history, seed), (ulong)position), (ulong)generated);

    private static ulong Mix(ulong left, ulong right)
    {
        ulong high = Math.BigMul(left ^ 0x9E3779B97F4A7C15, right + 0xD1B54A32D192ED03, out ulong low);
        ulong mixed = high ^ low;
        return mixed ^ (mixed >> 29);
    }
}
