using System.Numerics;

namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's order of values.</summary>
internal static class Comparison
{
    /// <summary>Whether two of bool, int and float are equal; false for anything else.</summary>
    public static bool NumbersEqual(Value left, Value right)
    {
        if (!Operators.IsNumber(left) || !Operators.IsNumber(right)) return false;
        return CompareNumbers(left, right) == 0;
    }

    /// <summary>Negative, zero or positive; null where a NaN is compared.</summary>
    /// <exception cref="TemplateError">Python has no order between these types.</exception>
    public static int? Compare(Value left, Value right, string symbol)
    {
        if (left is StringValue a && right is StringValue b) return CodePoints.Compare(a.Text, b.Text);
        if (Operators.IsNumber(left) && Operators.IsNumber(right)) return CompareNumbers(left, right);
        if (left is ListValue or TupleValue && right.GetType() == left.GetType())
            return CompareSequences((SequenceValue)left, (SequenceValue)right, symbol);
        if (left is UndefinedValue undefined) throw undefined.Fail();
        if (right is UndefinedValue other) throw other.Fail();
        throw new TemplateError($"'{symbol}' not supported between instances of '{left.TypeName}' and '{right.TypeName}'.");
    }

    private static int? CompareSequences(SequenceValue left, SequenceValue right, string symbol)
    {
        int shared = Math.Min(left.Items.Length, right.Items.Length);
        for (int i = 0; i < shared; i++)
        {
            if (!left.Items[i].IsEqualTo(right.Items[i])) return Compare(left.Items[i], right.Items[i], symbol);
        }
        return left.Items.Length.CompareTo(right.Items.Length);
    }

    private static int? CompareNumbers(Value left, Value right)
    {
        if (left is not FloatValue && right is not FloatValue) return Operators.ToInteger(left).CompareTo(Operators.ToInteger(right));
        double a = Operators.ToDouble(left);
        double b = Operators.ToDouble(right);
        if (double.IsNaN(a) || double.IsNaN(b)) return null;
        // An int beyond 2^53 and a float are compared exactly, as Python does.
        if (left is not FloatValue && double.IsInteger(b)) return Operators.ToInteger(left).CompareTo(new BigInteger(b));
        if (right is not FloatValue && double.IsInteger(a)) return new BigInteger(a).CompareTo(Operators.ToInteger(right));
        return a.CompareTo(b);
    }
}
