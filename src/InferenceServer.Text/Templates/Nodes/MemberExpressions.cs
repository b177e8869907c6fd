using InferenceServer.Text.Templates.Builtins;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

/// <summary>x.name: an attribute, else an item; so a dict's methods hide its keys of the same name, as in Jinja.</summary>
internal sealed class AttributeExpression(int line, Expression target, string name) : Expression
{
    private readonly StringValue _key = StringValue.Trusted(name);
    private readonly bool _isDictMethod = DictMethods.IsAttribute(name);

    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value owner = target.Evaluate(run);
        run.Line = line;
        if (owner is DictValue dict && !_isDictMethod) return dict.Get(name) ?? UndefinedValue.Member(owner, _key);
        return Members.Attribute(owner, _key);
    }
}

/// <summary>x[key]: an item, else an attribute.</summary>
internal sealed class ItemExpression(int line, Expression target, Expression key) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value owner = target.Evaluate(run);
        Value at = key.Evaluate(run);
        run.Line = line;
        if (owner is StringValue text) run.Charge(text);
        return Members.Item(owner, at);
    }
}

internal sealed class SliceExpression(int line, Expression target, Expression? start, Expression? stop, Expression? step) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value owner = target.Evaluate(run);
        Value? first = start?.Evaluate(run);
        Value? last = stop?.Evaluate(run);
        Value? stride = step?.Evaluate(run);
        run.Line = line;
        run.Charge(owner is StringValue ? owner : NoneValue.Instance);
        return Slicing.Slice(run, owner, first, last, stride);
    }
}
