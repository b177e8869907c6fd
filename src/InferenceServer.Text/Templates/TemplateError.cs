namespace InferenceServer.Text.Templates;

/// <summary>Rendering cannot go on. Becomes a ChatTemplateException that also names the template and the line.</summary>
internal sealed class TemplateError(string message) : Exception(message);
