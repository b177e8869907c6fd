using InferenceServer.Text.Templates.Builtins;

namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's dict: keeps the order in which keys came; the immutable sandbox does not let a template change it.</summary>
internal sealed class DictValue : Value
{
    // A message has about three keys: looking through them costs less than hashing.
    private const int EntriesWithoutIndex = 8;

    private readonly List<KeyValuePair<Value, Value>> _entries = [];
    private readonly int _weight = 1;
    private readonly int _depth;
    private Dictionary<Value, int>? _index;

    /// <summary>A later value of an equal key replaces the earlier one and keeps its place, as in Python.</summary>
    public DictValue(IEnumerable<KeyValuePair<Value, Value>> entries)
    {
        foreach ((Value key, Value value) in entries)
        {
            key.Hash(); // refuses what Python cannot hash
            int at = Find(key);
            if (at >= 0)
            {
                _entries[at] = new(_entries[at].Key, value);
            }
            else
            {
                _entries.Add(new(key, value));
                Index(key);
            }
            Nesting.Add(key, ref _weight, ref _depth);
            Nesting.Add(value, ref _weight, ref _depth);
        }
    }

    public IReadOnlyList<KeyValuePair<Value, Value>> Entries => _entries;

    public override string TypeName => "dict";

    public override bool IsTrue => _entries.Count > 0;

    public override int? Length => _entries.Count;

    public override bool IsIterable => true;

    public override int Weight => _weight;

    public override int Depth => _depth;

    public Value[] Keys() => [.. _entries.Select(entry => entry.Key)];

    public Value[] Values() => [.. _entries.Select(entry => entry.Value)];

    public Value[] Pairs() => [.. _entries.Select(entry => new TupleValue([entry.Key, entry.Value]))];

    public override IEnumerable<Value> Iterate() => _entries.Select(entry => entry.Key);

    public bool Contains(Value key)
    {
        key.Hash();
        return Find(key) >= 0;
    }

    /// <summary>The value of a string key, or null.</summary>
    public Value? Get(string key)
    {
        if (_index is not null) return _index.TryGetValue(StringValue.Trusted(key), out int found) ? _entries[found].Value : null;
        foreach (KeyValuePair<Value, Value> entry in _entries)
        {
            if (entry.Key is StringValue text && text.Text == key) return entry.Value;
        }
        return null;
    }

    public override Value? GetAttribute(string name) => name switch
    {
        "clear" or "pop" or "popitem" or "setdefault" or "update" => Refuse(TypeName, name),
        _ when DictMethods.Find(name) is { } method => new FunctionValue(name, (run, arguments) => method(run, this, arguments)),
        _ => null,
    };

    public override Value? GetItem(Value key)
    {
        if (key is StringValue text) return Get(text.Text);
        if (key is ListValue or DictValue) return null;
        int at = Find(key);
        return at < 0 ? null : _entries[at].Value;
    }

    public override void WriteRepr(TextBuilder text)
    {
        text.Append('{');
        for (int i = 0; i < _entries.Count; i++)
        {
            if (i > 0) text.Append(", ");
            _entries[i].Key.WriteRepr(text);
            text.Append(": ");
            _entries[i].Value.WriteRepr(text);
        }
        text.Append('}');
    }

    public override bool IsEqualTo(Value other)
    {
        if (ReferenceEquals(this, other)) return true;
        if (other is not DictValue dict || dict._entries.Count != _entries.Count) return false;
        foreach ((Value key, Value value) in _entries)
        {
            int at = dict.Find(key);
            if (at < 0 || !dict._entries[at].Value.IsEqualTo(value)) return false;
        }
        return true;
    }

    private void Index(Value key)
    {
        if (_index is not null)
        {
            _index.Add(key, _entries.Count - 1);
        }
        else if (_entries.Count > EntriesWithoutIndex)
        {
            _index = new Dictionary<Value, int>(ValueComparer.Instance);
            for (int i = 0; i < _entries.Count; i++) _index.Add(_entries[i].Key, i);
        }
    }

    private int Find(Value key)
    {
        if (_index is not null) return _index.TryGetValue(key, out int found) ? found : -1;
        for (int i = 0; i < _entries.Count; i++)
        {
            if (_entries[i].Key.IsEqualTo(key)) return i;
        }
        return -1;
    }
}
