using InferenceServer.Core.Text;
using InferenceServer.Text.Templates.Nodes;
using InferenceServer.Text.Templates.Syntax;

namespace InferenceServer.Text.Templates;

/// <summary>
/// A chat template: Jinja2 3.1 as Hugging Face sets it up (immutable sandbox, trim_blocks, lstrip_blocks, loop controls,
/// <c>generation</c> blocks, <c>raise_exception</c>, <c>strftime_now</c>, a <c>tojson</c> that does not escape HTML).
/// Parsed once, rendered from any number of threads. Templates see their own value types and never a .NET object.
/// </summary>
public sealed class ChatTemplate : IChatTemplate
{
    private readonly Statement[] _body;

    private ChatTemplate(string name, Statement[] body)
    {
        Name = name;
        _body = body;
    }

    /// <summary>What errors call this template: a file name or a model.</summary>
    public string Name { get; }

    /// <summary>Parses a template.</summary>
    /// <exception cref="ChatTemplateException">The source is no template that we can render; the message names the line.</exception>
    public static ChatTemplate Parse(string source, string name)
    {
        ArgumentNullException.ThrowIfNull(source);
        try
        {
            return new ChatTemplate(name, new Parser(source).ParseTemplate());
        }
        catch (TemplateSyntaxError error)
        {
            throw new ChatTemplateException($"The chat template '{name}' cannot be parsed: line {error.Line}: {error.Message}", error);
        }
    }

    /// <summary>
    /// Loads a template from a <c>.jinja</c> file, a <c>tokenizer_config.json</c> (chat_template as a string or as a list of named
    /// templates) or a Hugging Face folder, where <c>chat_template.jinja</c> goes before <c>tokenizer_config.json</c>.
    /// </summary>
    /// <exception cref="ChatTemplateException">There is no template in it, or it does not parse.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IChatTemplate LoadFile(string path) => ChatTemplateFile.Load(path);

    /// <inheritdoc/>
    public RenderedPrompt Render(ChatTemplateInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var run = new TemplateRun(input.Now);
        try
        {
            TemplateInput.Define(run.Globals, input);
            run.Execute(_body);
            return run.Output.ToPrompt();
        }
        catch (TemplateError error)
        {
            throw new ChatTemplateException($"{error.Message} (chat template '{Name}', line {run.Line})", error);
        }
    }
}
