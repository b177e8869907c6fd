using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

/// <summary>What set, for and with assign to.</summary>
internal abstract class AssignTarget
{
    public abstract void Assign(TemplateRun run, Value value);
}

internal sealed class NameTarget(string name) : AssignTarget
{
    public override void Assign(TemplateRun run, Value value) => run.Scope.Set(name, value);
}

internal sealed class NamespaceTarget(string name, string attribute) : AssignTarget
{
    public override void Assign(TemplateRun run, Value value)
    {
        Value? owner = run.Find(name);
        if (owner is not NamespaceValue space) throw new TemplateError($"cannot assign attribute on non-namespace object '{name}'.");
        space.Set(attribute, value);
    }
}

internal sealed class TupleTarget(AssignTarget[] targets) : AssignTarget
{
    public override void Assign(TemplateRun run, Value value)
    {
        Value[] items = [.. value.Iterate().Take(targets.Length + 1)];
        if (items.Length > targets.Length) throw new TemplateError($"too many values to unpack (expected {targets.Length}).");
        if (items.Length < targets.Length)
            throw new TemplateError($"not enough values to unpack (expected {targets.Length}, got {items.Length}).");
        for (int i = 0; i < targets.Length; i++) targets[i].Assign(run, items[i]);
    }
}
