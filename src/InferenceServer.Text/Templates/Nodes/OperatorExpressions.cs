using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

/// <summary>Python's and: one of its operands, not a bool.</summary>
internal sealed class AndExpression(Expression left, Expression right) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value value = left.Evaluate(run);
        return value.IsTrue ? right.Evaluate(run) : value;
    }
}

/// <summary>Python's or: one of its operands, not a bool.</summary>
internal sealed class OrExpression(Expression left, Expression right) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value value = left.Evaluate(run);
        return value.IsTrue ? value : right.Evaluate(run);
    }
}

internal sealed class NotExpression(Expression operand) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        return BoolValue.Of(!operand.Evaluate(run).IsTrue);
    }
}

internal sealed class SignExpression(bool isNegative, Expression operand) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value value = operand.Evaluate(run);
        return isNegative ? Operators.Negate(value) : Operators.Plus(value);
    }
}

internal sealed class BinaryExpression(int line, string symbol, Expression left, Expression right) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value a = left.Evaluate(run);
        Value b = right.Evaluate(run);
        run.Line = line;
        return symbol switch
        {
            "+" => Operators.Add(run, a, b),
            "-" => Operators.Subtract(a, b),
            "*" => Operators.Multiply(run, a, b),
            "/" => Operators.Divide(a, b),
            "//" => Operators.FloorDivide(a, b),
            "%" => Operators.Modulo(run, a, b),
            _ => Operators.Power(a, b),
        };
    }
}

/// <summary>a ~ b ~ c: the texts of all, whatever they are.</summary>
internal sealed class ConcatExpression(Expression[] parts) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        var text = new TextBuilder();
        foreach (Expression part in parts)
        {
            Value value = part.Evaluate(run);
            run.Charge(value);
            value.WriteText(text);
        }
        return text.ToValue();
    }
}

internal readonly record struct ComparisonStep(string Symbol, Expression Right);

/// <summary>a &lt; b &lt;= c: Python's chains, which stop at the first that fails.</summary>
internal sealed class CompareExpression(Expression first, ComparisonStep[] steps) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value left = first.Evaluate(run);
        foreach (ComparisonStep step in steps)
        {
            Value right = step.Right.Evaluate(run);
            if (!Holds(run, step.Symbol, left, right)) return BoolValue.False;
            left = right;
        }
        return BoolValue.True;
    }

    /// <summary>One comparison by its symbol.</summary>
    public static bool Holds(TemplateRun run, string symbol, Value left, Value right)
    {
        run.Charge(Math.Min(left.Weight, right.Weight));
        return symbol switch
        {
            "==" => left.IsEqualTo(right),
            "!=" => !left.IsEqualTo(right),
            "in" => Operators.Contains(run, right, left),
            "not in" => !Operators.Contains(run, right, left),
            "<" => Comparison.Compare(left, right, symbol) < 0,
            "<=" => Comparison.Compare(left, right, symbol) <= 0,
            ">" => Comparison.Compare(left, right, symbol) > 0,
            _ => Comparison.Compare(left, right, symbol) >= 0,
        };
    }
}
