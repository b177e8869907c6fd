namespace InferenceServer.Text.Templates.Values;

/// <summary>What list, tuple and range share: items that never change.</summary>
internal abstract class SequenceValue : Value
{
    private readonly int _weight = 1;
    private readonly int _depth;

    /// <summary>Takes ownership of the items.</summary>
    protected SequenceValue(Value[] items)
    {
        Items = items;
        foreach (Value item in items)
        {
            Nesting.Add(item, ref _weight, ref _depth);
        }
    }

    public Value[] Items { get; }

    public override bool IsTrue => Items.Length > 0;

    public override int? Length => Items.Length;

    public override bool IsIterable => true;

    public override int Weight => _weight;

    public override int Depth => _depth;

    public override IEnumerable<Value> Iterate() => Items;

    public override Value? GetItem(Value key)
    {
        if (!Operators.TryIndex(key, out int index)) return null;
        if (index < 0) index += Items.Length;
        return (uint)index < (uint)Items.Length ? Items[index] : null;
    }

    /// <summary>A sequence of the same type.</summary>
    public abstract SequenceValue With(Value[] items);

    public override bool IsEqualTo(Value other)
    {
        if (other.GetType() != GetType()) return false;
        Value[] others = ((SequenceValue)other).Items;
        if (ReferenceEquals(others, Items)) return true;
        if (others.Length != Items.Length) return false;
        for (int i = 0; i < others.Length; i++)
        {
            if (!Items[i].IsEqualTo(others[i])) return false;
        }
        return true;
    }

    protected void WriteItems(TextBuilder text)
    {
        for (int i = 0; i < Items.Length; i++)
        {
            if (i > 0) text.Append(", ");
            Items[i].WriteRepr(text);
        }
    }

    protected FunctionValue Count() => new("count", (_, arguments) =>
    {
        Value wanted = arguments.Bind("count", 1, "value")[0]!;
        return IntValue.Of(Items.Count(item => item.IsEqualTo(wanted)));
    });

    protected FunctionValue Index() => new("index", (_, arguments) =>
    {
        Value wanted = arguments.Bind("index", 1, "value")[0]!;
        int index = Array.FindIndex(Items, item => item.IsEqualTo(wanted));
        return index >= 0 ? IntValue.Of(index) : throw new TemplateError($"The value is not in the {TypeName}.");
    });
}

/// <summary>Python's list, which the immutable sandbox does not let a template change.</summary>
internal sealed class ListValue(Value[] items) : SequenceValue(items)
{
    public static readonly ListValue Empty = new([]);

    public override string TypeName => "list";

    public override SequenceValue With(Value[] items) => new ListValue(items);

    public override Value? GetAttribute(string name) => name switch
    {
        "count" => Count(),
        "index" => Index(),
        "copy" => new FunctionValue(name, (_, _) => this),
        "append" or "clear" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" => Refuse(TypeName, name),
        _ => null,
    };

    public override void WriteRepr(TextBuilder text)
    {
        text.Append('[');
        WriteItems(text);
        text.Append(']');
    }
}

/// <summary>Python's tuple.</summary>
internal sealed class TupleValue(Value[] items) : SequenceValue(items)
{
    public override string TypeName => "tuple";

    public override SequenceValue With(Value[] items) => new TupleValue(items);

    public override Value? GetAttribute(string name) => name switch
    {
        "count" => Count(),
        "index" => Index(),
        _ => null,
    };

    public override void WriteRepr(TextBuilder text)
    {
        text.Append('(');
        WriteItems(text);
        text.Append(Items.Length == 1 ? ",)" : ")");
    }

    public override int Hash()
    {
        var hash = new HashCode();
        foreach (Value item in Items) hash.Add(item.Hash());
        return hash.ToHashCode();
    }
}

/// <summary>Python's range, held as its items: the sandbox allows 100,000.</summary>
internal sealed class RangeValue(Value[] items, string repr) : SequenceValue(items)
{
    public override string TypeName => "range";

    public override SequenceValue With(Value[] items) => new RangeValue(items, "range");

    public override Value? GetAttribute(string name) => name switch
    {
        "count" => Count(),
        "index" => Index(),
        _ => null,
    };

    public override void WriteRepr(TextBuilder text) => text.Append(repr);
}
