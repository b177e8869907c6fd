using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

/// <summary>for, with its filter, else and recursion. Each turn has a scope of its own.</summary>
internal sealed class ForStatement(
    int line, AssignTarget target, Expression items, Expression? test, bool isRecursive, Statement[] body, Statement[] otherwise) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        run.Step();
        return Loop(run, items.Evaluate(run), depth: 0);
    }

    private Flow Loop(TemplateRun run, Value iterable, int depth)
    {
        run.Line = line;
        if (!iterable.IsIterable) throw new TemplateError($"'{iterable.TypeName}' object is not iterable.");
        Scope outer = run.Scope;
        Value[] turns = Select(run, iterable);
        if (turns.Length == 0)
        {
            run.Scope = new Scope(outer);
            Flow flow = run.Execute(otherwise);
            run.Scope = outer;
            return flow;
        }
        var loop = new LoopValue(turns, depth, isRecursive ? Recurse(outer, depth + 1) : null);
        for (int i = 0; i < turns.Length; i++)
        {
            run.Step();
            loop.Index = i;
            run.Scope = new Scope(outer);
            run.Scope.Set("loop", loop);
            target.Assign(run, turns[i]);
            if (run.Execute(body) == Flow.Break) break;
        }
        run.Scope = outer;
        return Flow.Next;
    }

    private Value[] Select(TemplateRun run, Value iterable)
    {
        if (iterable is StringValue text) run.Charge(text.Text.Length);
        Value[] all = iterable is SequenceValue sequence ? sequence.Items : [.. iterable.Iterate()];
        if (test is null) return all;
        Scope outer = run.Scope;
        var selected = new List<Value>(all.Length);
        foreach (Value item in all)
        {
            run.Step();
            run.Scope = new Scope(outer);
            target.Assign(run, item);
            if (test.Evaluate(run).IsTrue) selected.Add(item);
        }
        run.Scope = outer;
        return [.. selected];
    }

    /// <summary>loop(children): the same loop over other items, one level deeper, as text.</summary>
    private Func<TemplateRun, Value, Value> Recurse(Scope scope, int depth) => (run, iterable) =>
    {
        run.EnterCall();
        run.Capture([new Nested(this, iterable, depth)], scope, out StringValue text);
        run.LeaveCall();
        return text;
    };

    private sealed class Nested(ForStatement loop, Value iterable, int depth) : Statement
    {
        public override Flow Execute(TemplateRun run) => loop.Loop(run, iterable, depth);
    }
}
