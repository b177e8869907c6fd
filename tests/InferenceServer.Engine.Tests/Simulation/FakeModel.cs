namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>What a choice depends on besides the history.</summary>
internal readonly record struct FakeDraw(ulong Seed, int Position, int Generated, ulong Penalties, int MinTokens, IReadOnlyList<int> StopTokens);

/// <summary>
/// A model without weights: the next token is a function of everything before it, of the seed and of the position,
/// so that one wrong token anywhere in a history changes everything after it.
/// </summary>
internal static class FakeModel
{
    public const ulong EmptyHistory = 0x243F6A8885A308D3;

    /// <summary>The history after one more token.</summary>
    public static ulong Extend(ulong history, int token) => Mix(history, (uint)token);

    public static int Choose(ulong history, in FakeDraw draw, int vocabulary)
    {
        ulong bits = Mix(Mix(Mix(history, draw.Seed), (ulong)draw.Position), (ulong)draw.Generated) + draw.Penalties;
        int token = (int)(bits % (ulong)vocabulary);
        for (int tries = 0; draw.Generated < draw.MinTokens && tries < vocabulary && Contains(draw.StopTokens, token); tries++) token = (token + 1) % vocabulary;
        return token;
    }

    /// <summary>What penalties make of the tokens counted so far: 0 without any, and different for any other multiset.</summary>
    public static ulong Penalties(Dictionary<int, int>? counts)
    {
        ulong sum = 0;
        if (counts is null) return sum;
        foreach ((int token, int count) in counts) sum += Mix((uint)token, (uint)count);
        return sum;
    }

    /// <summary>The same after one more token.</summary>
    public static ulong Penalties(Dictionary<int, int>? counts, int more)
    {
        if (counts is null) return 0;
        ulong sum = Penalties(counts);
        bool counted = counts.TryGetValue(more, out int count);
        return sum - (counted ? Mix((uint)more, (uint)count) : 0) + Mix((uint)more, (uint)count + 1);
    }

    /// <summary>Whether this row is one that fails, about one in <paramref name="oneIn"/>; 0: never.</summary>
    public static bool Fails(ulong history, ulong seed, int oneIn) => oneIn > 0 && Mix(Mix(history, seed), 0xFA11) % (ulong)oneIn == 0;

    public static float Score(ulong history, int target) => -(float)(Mix(history, (uint)target) % 1000) / 100;

    private static bool Contains(IReadOnlyList<int> tokens, int token)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            if (tokens[i] == token) return true;
        }

        return false;
    }

    private static ulong Mix(ulong left, ulong right)
    {
        ulong high = Math.BigMul(left ^ 0x9E3779B97F4A7C15, right + 0xD1B54A32D192ED03, out ulong low);
        ulong mixed = high ^ low;
        return mixed ^ (mixed >> 29);
    }
}
