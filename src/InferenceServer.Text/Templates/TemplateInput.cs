using System.Globalization;
using System.Numerics;
using System.Text.Json;
using InferenceServer.Core.Text;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates;

/// <summary>
/// JSON to values. What comes out of messages, tools and documents is marked as users' text, dict keys included. The one exception is a
/// message's role where it is one of OpenAI's: templates such as Phi's build the token <c>&lt;|user|&gt;</c> from it, and a caller may
/// choose among these roles anyway.
/// </summary>
internal static class TemplateInput
{
    private static readonly string[] KnownRoles = ["system", "developer", "user", "assistant", "tool", "function"];

    public static void Define(Dictionary<string, Value> globals, ChatTemplateInput input)
    {
        globals["documents"] = NoneValue.Instance;
        foreach ((string name, JsonElement value) in input.Variables) globals[name] = Convert(value, isUser: name == "documents");
        globals["messages"] = input.Messages.ValueKind == JsonValueKind.Array
            ? new ListValue([.. input.Messages.EnumerateArray().Select(Message)])
            : Convert(input.Messages, isUser: true);
        globals["tools"] = input.Tools is { } tools ? Convert(tools, isUser: true) : NoneValue.Instance;
    }

    public static Value Convert(JsonElement element, bool isUser)
    {
        TemplateLimits.CheckStack();
        return element.ValueKind switch
        {
            JsonValueKind.String => Text(Read(element), isUser),
            JsonValueKind.Number => Number(element.GetRawText()),
            JsonValueKind.True => BoolValue.True,
            JsonValueKind.False => BoolValue.False,
            JsonValueKind.Array => new ListValue([.. element.EnumerateArray().Select(item => Convert(item, isUser))]),
            JsonValueKind.Object => new DictValue(element.EnumerateObject().Select(property => Entry(property, isUser))),
            _ => NoneValue.Instance,
        };
    }

    private static Value Message(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object) return Convert(message, isUser: true);
        return new DictValue(message.EnumerateObject().Select(property => Entry(property, isUser: true) is var entry && IsKnownRole(entry)
            ? new(entry.Key, StringValue.Trusted(((StringValue)entry.Value).Text))
            : entry));
    }

    private static bool IsKnownRole(KeyValuePair<Value, Value> entry) =>
        entry is { Key: StringValue { Text: "role" }, Value: StringValue role } && KnownRoles.Contains(role.Text);

    private static KeyValuePair<Value, Value> Entry(JsonProperty property, bool isUser) =>
        new(Text(ReadName(property), isUser), Convert(property.Value, isUser));

    private static StringValue Text(string text, bool isUser)
    {
        TemplateLimits.CheckTextLength(text.Length);
        return isUser ? StringValue.User(text) : StringValue.Trusted(text);
    }

    private static Value Number(string text)
    {
        if (text.AsSpan().ContainsAny(".eE")) return new FloatValue(double.Parse(text, CultureInfo.InvariantCulture));
        if (text.Length > TemplateLimits.IntegerDigits) throw new TemplateError("An integer in the input has more than 4300 digits.");
        return long.TryParse(text, CultureInfo.InvariantCulture, out long number)
            ? IntValue.Of(number)
            : IntValue.Of(BigInteger.Parse(text, CultureInfo.InvariantCulture));
    }

    private static string Read(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw InvalidText();
        }
    }

    private static string ReadName(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw InvalidText();
        }
    }

    private static TemplateError InvalidText() => new("A string in the input is not valid Unicode: it escapes half a surrogate pair.");
}
