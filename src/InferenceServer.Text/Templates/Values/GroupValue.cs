namespace InferenceServer.Text.Templates.Values;

/// <summary>A group of groupby: a pair whose parts have names as well.</summary>
internal sealed class GroupValue(Value grouper, ListValue list) : SequenceValue([grouper, list])
{
    public override string TypeName => "tuple";

    public override SequenceValue With(Value[] items) => new TupleValue(items);

    public override Value? GetAttribute(string name) => name switch
    {
        "grouper" => Items[0],
        "list" => Items[1],
        _ => null,
    };

    public override void WriteRepr(TextBuilder text) => new TupleValue(Items).WriteRepr(text);
}
