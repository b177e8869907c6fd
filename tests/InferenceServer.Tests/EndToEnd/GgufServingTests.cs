using System.Net.Http.Json;
using System.Text.Json;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>A GGUF file as --model, as a user meets it: the same texts as the folder of the same weights, and sentences for what cannot be.</summary>
public sealed class GgufServingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gguf-serving-").FullName;

    private static string Stories => TestModels.SharedData("tiny-models/stories260K/derived/stories260K-f32.gguf");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_server_tells_the_golden_stories()
    {
        using ServerProcess server = ServerProcess.Start($"--model {Stories} --port 0 --grpc-port 0");
        using HttpClient http = new() { BaseAddress = new Uri(await server.ReadyAsync()) };
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        JsonElement model = (await http.GetFromJsonAsync<JsonElement>("/v1/models", cancellation)).GetProperty("data")[0];
        Assert.Equal("stories260K-f32", model.GetProperty("id").GetString());
        Assert.Equal(new DateTimeOffset(File.GetLastWriteTimeUtc(Stories)).ToUnixTimeSeconds(), model.GetProperty("created").GetInt64());
        foreach (JsonElement row in Goldens().Where(r => r.GetProperty("prompt").GetString() != "").Take(5))
        {
            string prompt = row.GetProperty("prompt").GetString()!, whole = row.GetProperty("greedy_text").GetString()!;
            using HttpResponseMessage response = await http.PostAsJsonAsync("/v1/completions", new { model = "stories260K-f32", prompt, temperature = 0, max_tokens = 60, ignore_eos = true }, cancellation);
            string text = (await response.Content.ReadFromJsonAsync<JsonElement>(cancellation)).GetProperty("choices")[0].GetProperty("text").GetString()!;
            Assert.NotEqual("", text);
            Assert.StartsWith(text, whole[prompt.Length..], StringComparison.Ordinal); // a continuation keeps the space it begins with
        }
    }

    /// <summary>Tokenizer, chat template, ends and weights at once: the answers of the folder, to the letter.</summary>
    [Fact]
    public async Task The_demo_model_as_one_file_answers_as_its_folder_does()
    {
        string gguf = Path.Combine(_folder, "demo-one-file.gguf");
        GgufConversion.Convert(TestModels.Demo, gguf);
        await using RunningServer folder = await RunningServer.StartAsync();
        await using RunningServer file = await RunningServer.StartAsync(o => o with { Model = o.Model with { Path = gguf } });
        string[] questions = [.. File.ReadLines(Path.Combine(TestModels.Demo, "golden.jsonl")).Where((_, i) => i % 20 == 0)];
        Assert.NotEmpty(questions);
        foreach (string question in questions)
        {
            JsonElement messages = JsonDocument.Parse(question).RootElement.GetProperty("messages");
            Assert.Equal(await AnswerAsync(folder, messages), await AnswerAsync(file, messages));
        }
    }

    [Fact]
    public async Task Eval_asks_a_GGUF_model()
    {
        string goldens = Path.Combine(_folder, "golden.jsonl"), template = Path.Combine(_folder, "plain.jinja");
        await File.WriteAllTextAsync(goldens, """{"id":"1","kind":"story","messages":[{"role":"user","content":"Once upon a time"}],"any":[["lily"]]}""" + "\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(template, "{{ bos_token }}{{ messages[0]['content'] }}", TestContext.Current.CancellationToken);
        (int exitCode, string output) = await ServerProcess.RunAsync($"eval --model {Stories} --chat-template {template} --goldens {goldens} --show-wrong");
        Assert.Equal(0, exitCode);
        Assert.Matches("story +1 of +1 right", output);
    }

    [Fact]
    public async Task Doctor_takes_its_name() => Assert.Equal(0, (await ServerProcess.RunAsync($"doctor --model {Stories} --device cpu")).ExitCode);

    [Fact]
    public async Task Tokenize_reads_the_vocabulary_inside()
    {
        const string Lines = "{\"text\":\"Hello wörld, <s> 42\"}\n{\"text\":\"  two  spaces\",\"add_special\":false}\n";
        (int exitCode, string fromGguf) = await ServerProcess.RunAsync($"tokenize --tokenizer {TestModels.SharedData("tokenizers/llama.cpp/ggml-vocab-llama-spm.gguf")}", Lines);
        Assert.Equal(0, exitCode);
        (_, string fromJson) = await ServerProcess.RunAsync($"tokenize --tokenizer {TestModels.SharedData("tokenizers/hf/llama2/tokenizer.json")}", Lines);
        Assert.Equal(fromJson, fromGguf);
    }

    [Fact]
    public async Task Render_reads_the_template_inside()
    {
        const string Line = """{"messages":[{"role":"user","content":"Hi"}],"tools":null,"kwargs":{"add_generation_prompt":true,"bos_token":"<s>"}}""" + "\n";
        (int exitCode, string output) = await ServerProcess.RunAsync($"render --template {TestModels.SharedData("tokenizers/llama.cpp/ggml-vocab-phi-3.gguf")}", Line);
        Assert.Equal(0, exitCode);
        Assert.StartsWith("<s><|user|>\nHi<|end|>\n<|assistant|>", JsonDocument.Parse(output).RootElement.GetProperty("text").GetString(), StringComparison.Ordinal);
        (exitCode, output) = await ServerProcess.RunAsync($"render --template {Stories}", Line);
        Assert.Equal(2, exitCode);
        Assert.Contains("holds no chat template", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing.gguf", null, "does not exist")]
    [InlineData("weights.bin", "1234", "a file that does not end in .gguf")]
    [InlineData("broken.gguf", "1234", "it is not a GGUF file")]
    [InlineData("short.gguf", "GGUF\u0003", "ends inside the version")]
    public async Task A_file_that_is_no_model_is_a_sentence(string name, string? content, string part)
    {
        string path = Path.Combine(_folder, name);
        if (content is not null) await File.WriteAllTextAsync(path, content, TestContext.Current.CancellationToken);
        (int exitCode, string output) = await ServerProcess.RunAsync($"--model {path} --port 0 --grpc-port 0 --device cpu");
        Assert.Equal(2, exitCode);
        Assert.Contains(part, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    /// <summary>The answer when nothing is said of sampling, with its usage and why it ended.</summary>
    private static async Task<string> AnswerAsync(RunningServer server, JsonElement messages)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using HttpResponseMessage response = await server.Http.PostAsJsonAsync("/v1/chat/completions", new { messages, max_tokens = 64 }, cancellation);
        JsonElement body = await response.Content.ReadFromJsonAsync<JsonElement>(cancellation);
        return $"{body.GetProperty("choices")[0].GetProperty("message")} {body.GetProperty("choices")[0].GetProperty("finish_reason")} {body.GetProperty("usage").GetProperty("prompt_tokens")}";
    }

    private static IEnumerable<JsonElement> Goldens() =>
        File.ReadLines(TestModels.SharedData("tiny-models/stories260K/greedy_expected.jsonl")).Select(line => JsonDocument.Parse(line).RootElement);
}
