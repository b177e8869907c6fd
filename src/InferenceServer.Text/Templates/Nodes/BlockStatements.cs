using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

internal sealed class SetStatement(int line, AssignTarget target, Expression value) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        run.Step();
        target.Assign(run, value.Evaluate(run));
        return Flow.Next;
    }
}

/// <summary>{% set x %}…{% endset %}, perhaps through filters.</summary>
internal sealed class SetBlockStatement(int line, AssignTarget target, FilterCall[] filters, Statement[] body) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        run.Step();
        Flow flow = run.Capture(body, new Scope(run.Scope), out StringValue text);
        if (flow != Flow.Next) return flow;
        Value value = text;
        foreach (FilterCall filter in filters) value = filter.Apply(run, value);
        target.Assign(run, value);
        return Flow.Next;
    }
}

internal sealed class FilterBlockStatement(int line, FilterCall[] filters, Statement[] body) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        run.Step();
        Flow flow = run.Capture(body, new Scope(run.Scope), out StringValue text);
        if (flow != Flow.Next) return flow;
        Value value = text;
        foreach (FilterCall filter in filters) value = filter.Apply(run, value);
        value.WriteText(run.Output);
        return Flow.Next;
    }
}

/// <summary>with: the values are evaluated outside of the new scope.</summary>
internal sealed class WithStatement(int line, AssignTarget[] targets, Expression[] values, Statement[] body) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        Value[] evaluated = ListExpression.EvaluateAll(run, values);
        Scope outer = run.Scope;
        run.Scope = new Scope(outer);
        for (int i = 0; i < targets.Length; i++) targets[i].Assign(run, evaluated[i]);
        Flow flow = run.Execute(body);
        run.Scope = outer;
        return flow;
    }
}

/// <summary>A body in a scope of its own: generation blocks, which only matter to trainers.</summary>
internal sealed class ScopeStatement(Statement[] body) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Step();
        Scope outer = run.Scope;
        run.Scope = new Scope(outer);
        Flow flow = run.Execute(body);
        run.Scope = outer;
        return flow;
    }
}

internal sealed class MacroStatement(int line, MacroBody macro) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        run.Step();
        run.Scope.Set(macro.Name, new MacroValue(macro, run.Scope));
        return Flow.Next;
    }
}

/// <summary>call: a macro is called with this body as its caller().</summary>
internal sealed class CallBlockStatement(int line, CallExpression call, MacroBody body) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        run.Step();
        Value result = call.Evaluate(run, new MacroValue(body, run.Scope));
        result.WriteText(run.Output);
        return Flow.Next;
    }
}
