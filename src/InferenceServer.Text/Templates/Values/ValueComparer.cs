namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's equality and hash, for sets and dicts.</summary>
internal sealed class ValueComparer : IEqualityComparer<Value>
{
    public static readonly ValueComparer Instance = new();

    public bool Equals(Value? x, Value? y) => x is null ? y is null : y is not null && x.IsEqualTo(y);

    public int GetHashCode(Value obj) => obj.Hash();
}
