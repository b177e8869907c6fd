using System.Text.Json;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>The tokens that trained models must produce, through engine and CPU backend.</summary>
public class GoldenTokenTests
{
    [Fact]
    public async Task Stories260K_in_F32_continues_every_prompt_as_its_makers_code_does()
    {
        await using EngineRig rig = new(TestModels.Stories, blocks: 256);
        string rows = TestModels.SharedData("tiny-models/stories260K/greedy_expected.jsonl");
        int count = 0;
        foreach (JsonElement row in File.ReadLines(rows).Select(line => JsonDocument.Parse(line).RootElement))
        {
            (int[] prompt, int[] whole) = (Ints(row, "prompt_ids_with_bos"), Ints(row, "greedy_ids_including_prompt"));
            GeneratedTokens got = await rig.GreedyAsync(prompt, whole.Length - prompt.Length);
            Assert.Equal(whole, prompt.Concat(got.Tokens));
            count++;
        }

        Assert.True(count >= 5);
    }

    [Fact]
    public async Task The_demo_model_answers_as_its_trainer_computed()
    {
        await using EngineRig rig = new(TestModels.Demo, blocks: 256);
        int count = 0;
        foreach (JsonElement row in File.ReadLines(Path.Combine(TestModels.Demo, "greedy_expected.jsonl")).Select(line => JsonDocument.Parse(line).RootElement))
        {
            int[] expected = Ints(row, "ids");
            GeneratedTokens got = await rig.GreedyAsync(Ints(row, "prompt_ids"), expected.Length);
            Assert.Equal(expected, got.Tokens);
            count++;
        }

        Assert.True(count >= 10);
    }

    private static int[] Ints(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];
}
