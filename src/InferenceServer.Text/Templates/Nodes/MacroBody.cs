namespace InferenceServer.Text.Templates.Nodes;

internal readonly record struct MacroParameter(string Name, Expression? Default);

/// <summary>A macro as written. Extra arguments are errors unless the body mentions varargs, kwargs or caller.</summary>
internal sealed record MacroBody(
    string Name, MacroParameter[] Parameters, Statement[] Body, bool UsesVarargs, bool UsesKwargs, bool UsesCaller);
