using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

/// <summary>A parsed expression. Immutable: one template is rendered by many threads.</summary>
internal abstract class Expression
{
    public abstract Value Evaluate(TemplateRun run);
}

internal sealed class LiteralExpression(Value value) : Expression
{
    public override Value Evaluate(TemplateRun run) => value;
}

internal sealed class NameExpression(string name) : Expression
{
    public override Value Evaluate(TemplateRun run) => run.Find(name) ?? UndefinedValue.Name(name);
}

internal sealed class ListExpression(Expression[] items) : Expression
{
    public override Value Evaluate(TemplateRun run) => new ListValue(EvaluateAll(run, items));

    public static Value[] EvaluateAll(TemplateRun run, Expression[] items)
    {
        run.Step();
        var values = new Value[items.Length];
        for (int i = 0; i < items.Length; i++) values[i] = items[i].Evaluate(run);
        run.Charge(values.Length);
        return values;
    }
}

internal sealed class TupleExpression(Expression[] items) : Expression
{
    public override Value Evaluate(TemplateRun run) => new TupleValue(ListExpression.EvaluateAll(run, items));
}

internal sealed class DictExpression(KeyValuePair<Expression, Expression>[] entries) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        run.Charge(entries.Length);
        var values = new KeyValuePair<Value, Value>[entries.Length];
        for (int i = 0; i < entries.Length; i++) values[i] = new(entries[i].Key.Evaluate(run), entries[i].Value.Evaluate(run));
        return new DictValue(values);
    }
}

/// <summary>a if test else b; without else, undefined.</summary>
internal sealed class ConditionalExpression(Expression test, Expression then, Expression? otherwise) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        if (test.Evaluate(run).IsTrue) return then.Evaluate(run);
        return otherwise?.Evaluate(run) ?? new UndefinedValue("the inline if-expression evaluated to false and no else section was defined.");
    }
}
