using System.Text.Json;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Tests.Templates;

/// <summary>Inputs from JSON text.</summary>
internal static class Inputs
{
    public static ChatTemplateInput Of(string messages, string? tools = null, string variables = "{}") => new()
    {
        Messages = JsonDocument.Parse(messages).RootElement,
        Tools = tools is null ? null : JsonDocument.Parse(tools).RootElement,
        Variables = JsonDocument.Parse(variables).RootElement.EnumerateObject().ToDictionary(property => property.Name, property => property.Value),
        Now = new DateTimeOffset(2024, 7, 26, 12, 34, 56, TimeSpan.Zero),
    };
}
