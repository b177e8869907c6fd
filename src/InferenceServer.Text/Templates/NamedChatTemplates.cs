using System.Text.Json;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Templates;

/// <summary>A model with a template of its own for conversations with tools: Hugging Face's <c>default</c> and <c>tool_use</c>.</summary>
internal sealed class NamedChatTemplates(IChatTemplate standard, IChatTemplate? toolUse) : IChatTemplate
{
    /// <inheritdoc/>
    public RenderedPrompt Render(ChatTemplateInput input)
    {
        bool hasTools = input.Tools is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) };
        return (hasTools && toolUse is not null ? toolUse : standard).Render(input);
    }
}
