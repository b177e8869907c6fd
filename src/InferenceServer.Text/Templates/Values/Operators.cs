using System.Numerics;
using InferenceServer.Text.Templates.Builtins;

namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's operators.</summary>
internal static class Operators
{
    public static bool IsNumber(Value value) => value is IntValue or FloatValue or BoolValue;

    public static BigInteger ToInteger(Value value) => value is IntValue number ? number.Number : value.IsTrue ? BigInteger.One : BigInteger.Zero;

    public static double ToDouble(Value value) => value is FloatValue number ? number.Number : (double)ToInteger(value);

    /// <summary>What can be an index: int or bool. One beyond 32 bits is clamped, which is out of range as well.</summary>
    public static bool TryIndex(Value value, out int index)
    {
        index = 0;
        if (value is not (IntValue or BoolValue)) return false;
        index = (int)BigInteger.Clamp(ToInteger(value), int.MinValue / 2, int.MaxValue / 2);
        return true;
    }

    public static Value Add(TemplateRun run, Value left, Value right)
    {
        if (left is StringValue text)
        {
            if (right is StringValue other) return text.IsMarkup || other.IsMarkup ? JoinMarkup(run, text, other) : Join(run, text, other);
            throw right is UndefinedValue undefined ? undefined.Fail()
                : new TemplateError($"can only concatenate str (not \"{right.TypeName}\") to str.");
        }
        if (left is SequenceValue and not RangeValue && right.GetType() == left.GetType())
        {
            Value[] items = [.. ((SequenceValue)left).Items, .. ((SequenceValue)right).Items];
            run.Charge(items.Length);
            return ((SequenceValue)left).With(items);
        }
        return Arithmetic("+", left, right, static (a, b) => a + b, static (a, b) => a + b);
    }

    public static Value Subtract(Value left, Value right) =>
        Arithmetic("-", left, right, static (a, b) => a - b, static (a, b) => a - b);

    public static Value Multiply(TemplateRun run, Value left, Value right)
    {
        if (left is StringValue or ListValue or TupleValue && TryIndex(right, out int times)) return Repeat(run, left, times);
        if (right is StringValue or ListValue or TupleValue && TryIndex(left, out times)) return Repeat(run, right, times);
        return Arithmetic("*", left, right, static (a, b) => a * b, static (a, b) => a * b);
    }

    public static Value Divide(Value left, Value right)
    {
        RequireNumbers("/", left, right);
        double divisor = ToDouble(right);
        if (divisor == 0) throw new TemplateError("division by zero.");
        return new FloatValue(ToDouble(left) / divisor);
    }

    public static Value FloorDivide(Value left, Value right)
    {
        RequireNonZero("//", left, right);
        return Arithmetic("//", left, right, FloorDivide, static (a, b) => Math.Floor(a / b));
    }

    public static Value Modulo(TemplateRun run, Value left, Value right)
    {
        if (left is StringValue format) return PercentFormat.Format(run, format, right);
        RequireNonZero("%", left, right);
        return Arithmetic("%", left, right, static (a, b) => a - (FloorDivide(a, b) * b), static (a, b) => a - (Math.Floor(a / b) * b));
    }

    public static Value Power(Value left, Value right)
    {
        RequireNumbers("**", left, right);
        if (left is FloatValue || right is FloatValue || ToInteger(right).Sign < 0)
        {
            if (ToDouble(left) == 0 && ToDouble(right) < 0) throw new TemplateError("0.0 cannot be raised to a negative power.");
            return new FloatValue(Math.Pow(ToDouble(left), ToDouble(right)));
        }
        BigInteger number = ToInteger(left);
        BigInteger exponent = ToInteger(right);
        if (BigInteger.Abs(number) <= 1) return IntValue.Of(BigInteger.Pow(number, exponent.IsEven ? 2 : 1) is var result && exponent.IsZero ? 1 : result);
        if (exponent * number.GetBitLength() > TemplateLimits.IntegerBits * 2) throw new TemplateError("An integer grew beyond 4300 digits.");
        return IntValue.Of(BigInteger.Pow(number, (int)exponent));
    }

    public static Value Negate(Value operand) => operand switch
    {
        FloatValue number => new FloatValue(-number.Number),
        IntValue or BoolValue => IntValue.Of(-ToInteger(operand)),
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw new TemplateError($"bad operand type for unary -: '{operand.TypeName}'."),
    };

    public static Value Plus(Value operand) => operand is FloatValue ? operand : Negate(Negate(operand));

    /// <summary>Python's in.</summary>
    public static bool Contains(TemplateRun run, Value container, Value item)
    {
        switch (container)
        {
            case StringValue text:
                if (item is UndefinedValue undefined) throw undefined.Fail();
                if (item is not StringValue part) throw new TemplateError($"'in <string>' requires string as left operand, not {item.TypeName}.");
                run.Charge(text);
                return text.Text.Contains(part.Text, StringComparison.Ordinal);
            case DictValue dict:
                return dict.Contains(item);
            case { IsIterable: true }:
                if (container is SequenceValue sequence) run.Charge(sequence.Items.Length);
                return container.Iterate().Any(item.IsEqualTo);
            default:
                throw new TemplateError($"argument of type '{container.TypeName}' is not iterable.");
        }
    }

    private static StringValue JoinMarkup(TemplateRun run, StringValue left, StringValue right) =>
        Join(run, TextFilters.Escape(left), TextFilters.Escape(right)).AsMarkup(true);

    private static StringValue Join(TemplateRun run, StringValue left, StringValue right)
    {
        if (left.Text.Length == 0) return right;
        if (right.Text.Length == 0) return left;
        TemplateLimits.CheckTextLength((long)left.Text.Length + right.Text.Length);
        StringValue joined;
        if (left.IsTrusted && right.IsTrusted) joined = StringValue.Trusted(left.Text + right.Text);
        else if (left.IsUser && right.IsUser) joined = StringValue.User(left.Text + right.Text);
        else
        {
            var builder = new TextBuilder();
            builder.Append(left);
            builder.Append(right);
            joined = builder.ToValue();
        }
        run.Charge(joined);
        return joined;
    }

    private static Value Repeat(TemplateRun run, Value value, int times)
    {
        times = Math.Max(times, 0);
        if (value is StringValue text)
        {
            TemplateLimits.CheckTextLength((long)text.Text.Length * times);
            if (text.Text.Length == 0) return text;
            var builder = new TextBuilder();
            for (int i = 0; i < times; i++) builder.Append(text);
            StringValue repeated = builder.ToValue().AsMarkup(text.IsMarkup);
            run.Charge(repeated);
            return repeated;
        }
        var sequence = (SequenceValue)value;
        if ((long)sequence.Items.Length * times > TemplateLimits.Weight) throw new TemplateError($"A value grew beyond {TemplateLimits.Weight} items.");
        if (sequence.Items.Length == 0) return sequence;
        run.Charge(sequence.Items.Length * times);
        return sequence.With([.. Enumerable.Repeat(sequence.Items, times).SelectMany(items => items)]);
    }

    private static BigInteger FloorDivide(BigInteger left, BigInteger right)
    {
        BigInteger quotient = BigInteger.DivRem(left, right, out BigInteger remainder);
        return !remainder.IsZero && (remainder.Sign < 0) != (right.Sign < 0) ? quotient - 1 : quotient;
    }

    private static Value Arithmetic(
        string symbol, Value left, Value right, Func<BigInteger, BigInteger, BigInteger> integers, Func<double, double, double> floats)
    {
        RequireNumbers(symbol, left, right);
        return left is FloatValue || right is FloatValue
            ? new FloatValue(floats(ToDouble(left), ToDouble(right)))
            : IntValue.Of(integers(ToInteger(left), ToInteger(right)));
    }

    private static void RequireNumbers(string symbol, Value left, Value right)
    {
        if (IsNumber(left) && IsNumber(right)) return;
        if (left is UndefinedValue undefined) throw undefined.Fail();
        if (right is UndefinedValue other) throw other.Fail();
        throw new TemplateError($"unsupported operand type(s) for {symbol}: '{left.TypeName}' and '{right.TypeName}'.");
    }

    private static void RequireNonZero(string symbol, Value left, Value right)
    {
        RequireNumbers(symbol, left, right);
        if (!right.IsTrue) throw new TemplateError("integer division or modulo by zero.");
    }
}
