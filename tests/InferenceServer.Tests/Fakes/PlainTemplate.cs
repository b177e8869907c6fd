using System.Text;
using System.Text.Json;
using InferenceServer.Core.Text;

namespace InferenceServer.Tests.Fakes;

/// <summary>A role token, the content, a newline; keeps what it was last given.</summary>
internal sealed class PlainTemplate : IChatTemplate
{
    public ChatTemplateInput? Last { get; private set; }

    public RenderedPrompt Render(ChatTemplateInput input)
    {
        // The request's document is gone when a test looks.
        Last = input with
        {
            Messages = input.Messages.Clone(),
            Tools = input.Tools?.Clone(),
            Variables = input.Variables.ToDictionary(v => v.Key, v => v.Value.Clone()),
        };
        StringBuilder text = new();
        List<TextRange> user = [];
        foreach (JsonElement message in input.Messages.EnumerateArray())
        {
            text.Append("<|").Append(message.GetProperty("role").GetString()).Append("|>");
            int start = text.Length;
            text.Append(message.GetProperty("content").GetString());
            user.Add(new TextRange(start, text.Length));
            text.Append('\n');
        }

        if (input.Variables.TryGetValue("add_generation_prompt", out JsonElement add) && add.GetBoolean()) text.Append("<|assistant|>");
        if (input.Variables.ContainsKey("refuse")) throw new ChatTemplateException("The template was told to refuse.");
        return new RenderedPrompt(text.ToString(), user);
    }
}
