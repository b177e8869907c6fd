namespace InferenceServer.Text.Templates.Values;

/// <summary>Something built in that can be called.</summary>
internal delegate Value Builtin(TemplateRun run, Arguments arguments);

/// <summary>A built-in function or a method bound to its value.</summary>
internal sealed class FunctionValue(string name, Builtin body) : Value
{
    public override string TypeName => "builtin_function_or_method";

    public override bool IsCallable => true;

    public override Value Call(TemplateRun run, Arguments arguments) => body(run, arguments);

    public override void WriteRepr(TextBuilder text) => text.Append($"<built-in method {name}>");

    public override int Hash() => string.GetHashCode(name, StringComparison.Ordinal);
}
