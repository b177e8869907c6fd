using InferenceServer.Text.Templates.Nodes;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates;

/// <summary>One render: its variables, its output, and what it has used of its limits. One thread.</summary>
internal sealed class TemplateRun(DateTimeOffset now)
{
    private int _stepsLeft = TemplateLimits.Steps;
    private int _callDepth;

    public DateTimeOffset Now { get; } = now;

    /// <summary>What the render was called with; hides Jinja's own globals.</summary>
    public Dictionary<string, Value> Globals { get; } = new(StringComparer.Ordinal);

    public Scope Scope { get; set; } = new(null);

    public TextBuilder Output { get; private set; } = new();

    /// <summary>The line that errors name.</summary>
    public int Line { get; set; }

    public Value? Find(string name) =>
        Scope.Find(name) ?? Globals.GetValueOrDefault(name) ?? Builtins.Globals.Find(name);

    public Flow Execute(Statement[] body)
    {
        foreach (Statement statement in body)
        {
            Flow flow = statement.Execute(this);
            if (flow != Flow.Next) return flow;
        }
        return Flow.Next;
    }

    /// <summary>Runs a body in a scope of its own and hands out what it printed.</summary>
    public Flow Capture(Statement[] body, Scope scope, out StringValue text)
    {
        (TextBuilder output, Scope outer) = (Output, Scope);
        (Output, Scope) = (new TextBuilder(), scope);
        Flow flow = Execute(body);
        text = Output.ToValue();
        (Output, Scope) = (output, outer);
        Charge(text);
        return flow;
    }

    public void EnterCall()
    {
        TemplateLimits.CheckStack();
        if (++_callDepth > TemplateLimits.CallDepth) throw new TemplateError($"Macros call each other more than {TemplateLimits.CallDepth} deep.");
    }

    public void LeaveCall() => _callDepth--;

    /// <summary>Counts one evaluation, and sees to it that there is stack for it.</summary>
    public void Step()
    {
        Charge(1);
        TemplateLimits.CheckStack();
    }

    public void Charge(int steps)
    {
        if ((_stepsLeft -= steps) < 0) throw new TemplateError($"The template takes more than {TemplateLimits.Steps} steps.");
    }

    /// <summary>Counts the making or the reading of a value: 64 characters or one item to a step.</summary>
    public void Charge(Value value) => Charge(value is StringValue text ? text.Text.Length / 64 : value.Weight - 1);
}
