using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>A parsed statement. Immutable: one template is rendered by many threads.</summary>
internal abstract class Statement
{
    public abstract Flow Execute(TemplateRun run);
}

/// <summary>Text of the template itself: the only place, with literals, that special tokens may come from.</summary>
internal sealed class TextStatement(string text) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Charge(1 + (text.Length / 64));
        run.Output.Append(text);
        return Flow.Next;
    }
}

internal sealed class PrintStatement(int line, Expression expression) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Line = line;
        run.Step();
        Value value = expression.Evaluate(run);
        run.Charge(value);
        value.WriteText(run.Output);
        return Flow.Next;
    }
}

/// <summary>Several statements in the scope they stand in.</summary>
internal sealed class ConcatStatement(Statement[] parts) : Statement
{
    public override Flow Execute(TemplateRun run) => run.Execute(parts);
}

internal readonly record struct IfBranch(int Line, Expression Test, Statement[] Body);

internal sealed class IfStatement(IfBranch[] branches, Statement[] otherwise) : Statement
{
    public override Flow Execute(TemplateRun run)
    {
        run.Step();
        foreach (IfBranch branch in branches)
        {
            run.Line = branch.Line;
            if (branch.Test.Evaluate(run).IsTrue) return run.Execute(branch.Body);
        }
        return run.Execute(otherwise);
    }
}

/// <summary>break and continue, of the loopcontrols extension.</summary>
internal sealed class JumpStatement : Statement
{
    public static readonly JumpStatement Break = new(Flow.Break);
    public static readonly JumpStatement Continue = new(Flow.Continue);

    private readonly Flow _flow;

    private JumpStatement(Flow flow) => _flow = flow;

    public override Flow Execute(TemplateRun run) => _flow;
}
