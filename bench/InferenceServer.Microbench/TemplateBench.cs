using System.Text.Json;
using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Text;
using InferenceServer.Text.Templates;

namespace InferenceServer.Microbench;

/// <summary>The demo model's chat template over short and long conversations.</summary>
public class TemplateBench
{
    private ChatTemplate _template = null!;
    private ChatTemplateInput _input = null!;

    [Params(1, 20, 200)]
    public int Messages { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _template = ChatTemplate.Parse(BenchFiles.ChatTemplate, "demo");
        object[] messages = [.. Enumerable.Range(0, Messages).Select(i => new
        {
            role = i % 2 == 0 ? "user" : "assistant",
            content = $"Message {i}: what does a paged KV cache do, and why do its blocks have reference counts?",
        })];
        _input = new ChatTemplateInput
        {
            Messages = JsonSerializer.SerializeToElement(messages),
            Variables = new Dictionary<string, JsonElement>
            {
                ["bos_token"] = JsonSerializer.SerializeToElement("<|begin_of_text|>"),
                ["add_generation_prompt"] = JsonSerializer.SerializeToElement(true),
            },
            Now = DateTimeOffset.UnixEpoch,
        };
    }

    [Benchmark]
    public RenderedPrompt Render() => _template.Render(_input);
}
