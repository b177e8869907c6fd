namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's None.</summary>
internal sealed class NoneValue : Value
{
    public static readonly NoneValue Instance = new();

    public override string TypeName => "NoneType";

    public override bool IsTrue => false;

    public override void WriteRepr(TextBuilder text) => text.Append("None");

    public override int Hash() => 0;
}

/// <summary>Python's bool, which is an int as well.</summary>
internal sealed class BoolValue : Value
{
    public static readonly BoolValue True = new(true);
    public static readonly BoolValue False = new(false);

    private readonly bool _value;

    private BoolValue(bool value) => _value = value;

    public override string TypeName => "bool";

    public override bool IsTrue => _value;

    public static BoolValue Of(bool value) => value ? True : False;

    public override void WriteRepr(TextBuilder text) => text.Append(_value ? "True" : "False");

    public override bool IsEqualTo(Value other) => Comparison.NumbersEqual(this, other);

    public override int Hash() => _value ? 1 : 0;
}

/// <summary>
/// A name, attribute or item that is not there: prints as nothing, is false and empty, and fails at everything else with
/// <paramref name="why"/>. What the sandbox refuses is one too, so that a template may ask whether it is defined.
/// </summary>
internal sealed class UndefinedValue(string why) : Value
{
    public override string TypeName => "Undefined";

    public override bool IsTrue => false;

    public override int? Length => 0;

    public override bool IsIterable => true;

    public override bool IsCallable => true;

    public string Why => why;

    public static UndefinedValue Name(string name) => new($"'{name}' is undefined.");

    /// <summary>What Jinja answers where neither attribute nor item exists.</summary>
    public static UndefinedValue Member(Value owner, Value key)
    {
        string what = owner is NoneValue ? "None" : $"{owner.TypeName} object";
        return key is StringValue name
            ? new UndefinedValue($"'{what}' has no attribute '{name.Text}'.")
            : new UndefinedValue($"{what} has no element {key.ToText().Text}.");
    }

    public override IEnumerable<Value> Iterate() => [];

    public override Value? GetAttribute(string name) => throw Fail();

    public override Value? GetItem(Value key) => throw Fail();

    public override Value Call(TemplateRun run, Arguments arguments) => throw Fail();

    public override void WriteText(TextBuilder text)
    {
    }

    public override void WriteRepr(TextBuilder text) => text.Append("Undefined");

    public override bool IsEqualTo(Value other) => other is UndefinedValue;

    public override int Hash() => 1;

    public TemplateError Fail() => new(why);
}
