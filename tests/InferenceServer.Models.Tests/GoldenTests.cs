using System.Text.Json;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests;

/// <summary>Trained models must give the tokens and logits that other implementations gave.</summary>
public class GoldenTests
{
    private static readonly RunnerOptions SmallSteps = new() { MaxSequencesPerStep = 1, MaxRowsPerStep = 64, MaxTokensPerStep = 64 };

    [Theory]
    [InlineData("hf", 1e-4)]
    [InlineData("hf-bf16", 0.25)] // BF16 keeps 8 bits of each weight: about 0.4 % a product
    [InlineData("stories260K-f32.gguf", 1e-4)]
    [InlineData("stories260K-q8_0.gguf", 0.25)] // 8 bits for each weight, with a scale for 32
    public void Stories_logits_equal_the_stored_table(string variant, double tolerance)
    {
        using JsonDocument table = JsonDocument.Parse(File.ReadAllText(TestFiles.Shared("tiny-models", "stories260K", "teacher_forced_logits.json")));
        int[] ids = Ints(table.RootElement, "ids");
        JsonElement expected = table.RootElement.GetProperty("logits");
        PlainBackend backend = new();
        using IModelRunner runner = LoadStories(variant, backend);
        new HandLoop(runner).Step(ids, 0, ids.Length, ids.Length);

        double worst = 0;
        for (int position = 0; position < ids.Length; position++)
            for (int token = 0; token < runner.Limits.VocabularySize; token++)
                worst = Math.Max(worst, Math.Abs(expected[position][token].GetDouble() - backend.Logits[position][token]));
        Assert.True(worst <= tolerance, $"the largest difference is {worst}");
        TestContext.Current.SendDiagnosticMessage($"{variant}: largest logit difference {worst:g3}");
    }

    [Theory]
    [InlineData("hf", int.MaxValue)]
    [InlineData("hf", 3)]
    [InlineData("stories260K-f32.gguf", int.MaxValue)]
    public void Stories_greedy_tokens_equal_every_row(string variant, int chunk)
    {
        string rows = TestFiles.Shared("tiny-models", "stories260K", "greedy_expected.jsonl");
        using IModelRunner runner = LoadStories(variant, new PlainBackend());
        foreach (string line in File.ReadLines(rows))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            int[] prompt = Ints(row.RootElement, "prompt_ids_with_bos"), expected = Ints(row.RootElement, "greedy_ids_including_prompt");
            Assert.Equal(expected, new HandLoop(runner).Greedy(prompt, expected.Length - prompt.Length, chunk));
        }
    }

    [Fact]
    public void Demo_greedy_tokens_equal_every_row()
    {
        string rows = TestFiles.InRepository("models-manifest", "demo", "greedy_expected.jsonl");
        using ModelFolder folder = ModelFolder.Open(TestFiles.InRepository("models-manifest", "demo"));
        using IModelRunner runner = folder.LoadRunner(new PlainBackend(), SmallSteps);
        foreach (string line in File.ReadLines(rows))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            int[] prompt = Ints(row.RootElement, "prompt_ids"), expected = Ints(row.RootElement, "ids");
            Assert.Equal(expected, new HandLoop(runner).Greedy(prompt, expected.Length).Skip(prompt.Length));
        }
    }

    [Fact]
    public void A_tied_embedding_is_loaded_once()
    {
        PlainBackend backend = new();
        using IModelRunner runner = LoadStories("hf", backend);
        Assert.Equal(1 + 5 * 4, backend.MatricesLoaded); // the embedding, and qkv, o, gate-up, down of five layers
    }

    private static IModelRunner LoadStories(string variant, PlainBackend backend)
    {
        using ModelFolder folder = ModelFolder.Open(TestFiles.Shared("tiny-models", "stories260K", "derived", variant));
        return folder.LoadRunner(backend, SmallSteps);
    }

    private static int[] Ints(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];
}
