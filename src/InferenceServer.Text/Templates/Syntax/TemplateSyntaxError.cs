namespace InferenceServer.Text.Templates.Syntax;

/// <summary>The source is no template. Becomes a ChatTemplateException.</summary>
internal sealed class TemplateSyntaxError(string message, int line) : Exception(message)
{
    public int Line { get; } = line;
}
