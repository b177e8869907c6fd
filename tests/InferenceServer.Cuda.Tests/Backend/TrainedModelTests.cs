using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Models.Tests;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>
/// Trained models on the stand-in in BF16, all prompts in one batch, tokens fed back on the device, decodes from graphs: greedy tokens equal the CPU
/// backend's wherever the first two logits are further apart than the tolerance.
/// </summary>
public sealed class TrainedModelTests
{
    private const int Count = 14;

    [Fact]
    public void The_demo_model_says_what_it_says_on_the_CPU()
    {
        string rows = TestFiles.InRepository("models-manifest", "demo", "greedy_expected.jsonl");
        Compare(TestFiles.InRepository("models-manifest", "demo"), Prompts(rows, "prompt_ids"), 0.1f);
    }

    [Fact]
    public void Stories260K_says_what_it_says_on_the_CPU()
    {
        string rows = TestFiles.Shared("tiny-models", "stories260K", "greedy_expected.jsonl");
        Compare(TestFiles.Shared("tiny-models", "stories260K", "derived", "hf"), Prompts(rows, "prompt_ids_with_bos"), 0.1f);
    }

    private static void Compare(string folder, int[][] prompts, float tolerance)
    {
        CapturedLogits logits = new();
        List<int>[] expected, found;
        using (var cpu = ModelRig.OnCpu(folder, logits)) expected = new BatchLoop(cpu).Generate(prompts, Count, i => new SamplingParameters { Temperature = 0, Seed = (ulong)i });
        using ModelRig gpu = new(folder);
        BatchLoop loop = new(gpu.Runner) { FeedBack = true };
        found = loop.Generate(prompts, Count, _ => new SamplingParameters { Temperature = 0, Logprobs = true });
        double worst = 0;
        foreach ((int sequence, int position) in Greedy.AssertSame(expected, found, prompts, logits, tolerance))
        {
            int i = position - prompts[sequence].Length;
            if (expected[sequence][i] != found[sequence][i]) continue;
            float[] row = logits.Rows[((ulong)sequence, position)];
            double top = row.Max(), logprob = row[found[sequence][i]] - top - Math.Log(row.Sum(v => Math.Exp(v - top)));
            worst = Math.Max(worst, Math.Abs(logprob - loop.Logprobs[sequence][i]));
        }

        TestContext.Current.SendDiagnosticMessage($"{Path.GetFileName(folder)}: largest difference of a chosen token's log-probability {worst:g3}");
        Assert.InRange(worst, 0, tolerance / 2);
        Assert.Equal(1, gpu.Backend.GraphCount);
    }

    private static int[][] Prompts(string file, string field) =>
    [
        .. File.ReadLines(file).Take(ModelRig.Limits.MaxSequencesPerStep)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty(field).EnumerateArray().Select(e => e.GetInt32()).ToArray()),
    ];
}
