namespace InferenceServer.Text.Templates.Values;

/// <summary>
/// Keeps containers small enough to walk. They are immutable, so weight and depth are known when they are made, and a template that
/// doubles a list inside itself sixty times is stopped there instead of at its first print.
/// </summary>
internal static class Nesting
{
    public static void Add(Value item, ref int weight, ref int depth)
    {
        weight += item.Weight;
        if (weight > TemplateLimits.Weight) throw new TemplateError($"A value grew beyond {TemplateLimits.Weight} items.");
        if (item.Depth < depth) return;
        depth = item.Depth + 1;
        if (depth > TemplateLimits.ValueDepth) throw new TemplateError($"A value is nested more than {TemplateLimits.ValueDepth} deep.");
    }
}
