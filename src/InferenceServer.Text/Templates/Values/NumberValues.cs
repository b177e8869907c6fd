using System.Globalization;
using System.Numerics;

namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's int: any size up to <see cref="TemplateLimits.IntegerBits"/>.</summary>
internal sealed class IntValue : Value
{
    // Indices and lengths; one object each.
    private static readonly IntValue[] Small = [.. Enumerable.Range(0, 256).Select(number => new IntValue(number))];

    private IntValue(BigInteger number) => Number = number;

    public BigInteger Number { get; }

    public override string TypeName => "int";

    public override bool IsTrue => !Number.IsZero;

    public static IntValue Of(int number) => (uint)number < (uint)Small.Length ? Small[number] : new IntValue(number);

    public static IntValue Of(BigInteger number)
    {
        if (number >= 0 && number < Small.Length) return Small[(int)number];
        if (number.GetBitLength() > TemplateLimits.IntegerBits) throw new TemplateError("An integer grew beyond 4300 digits.");
        return new IntValue(number);
    }

    public override Value? GetAttribute(string name) => name switch
    {
        "real" or "numerator" => this,
        "imag" => Of(0),
        "denominator" => Of(1),
        "bit_length" => new FunctionValue(name, (_, _) => Of((int)BigInteger.Abs(Number).GetBitLength())),
        _ => null,
    };

    public override void WriteRepr(TextBuilder text) => text.Append(Number.ToString(CultureInfo.InvariantCulture));

    public override bool IsEqualTo(Value other) => Comparison.NumbersEqual(this, other);

    public override int Hash() => Number.GetHashCode();
}

/// <summary>Python's float.</summary>
internal sealed class FloatValue(double number) : Value
{
    public double Number { get; } = number;

    public override string TypeName => "float";

    public override bool IsTrue => Number != 0;

    public override Value? GetAttribute(string name) => name switch
    {
        "real" => this,
        "imag" => new FloatValue(0),
        "is_integer" => new FunctionValue(name, (_, _) => BoolValue.Of(double.IsInteger(Number))),
        _ => null,
    };

    public override void WriteRepr(TextBuilder text) => text.Append(NumberText.Repr(Number));

    public override bool IsEqualTo(Value other) => Comparison.NumbersEqual(this, other);

    // 1.0 == 1 in Python, and so must their hashes.
    public override int Hash() => double.IsInteger(Number) ? new BigInteger(Number).GetHashCode() : Number.GetHashCode();
}
