using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates;

/// <summary>
/// The names that one frame of a template has set: the template itself, a turn of a loop, a macro call, a block. An assignment stays in
/// its frame; that is Jinja's rule, and why templates use namespaces.
/// </summary>
internal sealed class Scope(Scope? parent)
{
    // A frame sets a few names; comparing references costs less than hashing.
    private string[] _names = [];
    private Value[] _values = [];
    private int _count;

    public void Set(string name, Value value)
    {
        int at = IndexOf(name);
        if (at >= 0)
        {
            _values[at] = value;
            return;
        }
        if (_count == _names.Length)
        {
            Array.Resize(ref _names, Math.Max(4, _count * 2));
            Array.Resize(ref _values, _names.Length);
        }
        _names[_count] = name;
        _values[_count++] = value;
    }

    /// <summary>The value of a name in this frame or the nearest around it, or null.</summary>
    public Value? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            int at = scope.IndexOf(name);
            if (at >= 0) return scope._values[at];
        }
        return null;
    }

    private Scope? Parent => parent;

    private int IndexOf(string name)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_names[i] == name) return i;
        }
        return -1;
    }
}
