using System.Text.Json;

namespace InferenceServer.Core.Text;

/// <summary>What a chat template is given. Strings inside Messages and Tools come from users; the rest does not.</summary>
public sealed record ChatTemplateInput
{
    /// <summary>An array of messages in OpenAI's shape.</summary>
    public required JsonElement Messages { get; init; }

    /// <summary>Null is None in the template.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Further top-level variables: add_generation_prompt, bos_token, enable_thinking, …</summary>
    public IReadOnlyDictionary<string, JsonElement> Variables { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>What <c>strftime_now</c> tells.</summary>
    public DateTimeOffset Now { get; init; }
}

/// <summary>A rendered prompt and which parts of it users wrote, so that these can never become special tokens.</summary>
public sealed record RenderedPrompt(string Text, IReadOnlyList<TextRange> UserText);

/// <summary>Messages to prompt text. Immutable and thread-safe.</summary>
public interface IChatTemplate
{
    /// <exception cref="ChatTemplateException">The template refused the conversation, or a limit was reached.</exception>
    RenderedPrompt Render(ChatTemplateInput input);
}

/// <summary>A template error as a sentence: what the template's own raise_exception said, or what went wrong and on which line.</summary>
public sealed class ChatTemplateException : Exception
{
    public ChatTemplateException(string message) : base(message)
    {
    }

    public ChatTemplateException(string message, Exception inner) : base(message, inner)
    {
    }

    public ChatTemplateException()
    {
    }
}
