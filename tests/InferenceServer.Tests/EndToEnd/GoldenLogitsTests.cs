using System.Text.Json;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Models;
using InferenceServer.Models.Running;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>Every logit of a trained model on the CPU backend against the table that its makers' arithmetic gives.</summary>
public class GoldenLogitsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Stories260K_in_F32_is_within_a_ten_thousandth(int threads)
    {
        JsonElement table = JsonDocument.Parse(File.ReadAllText(TestModels.SharedData("tiny-models/stories260K/teacher_forced_logits.json"))).RootElement;
        int[] ids = [.. table.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())];
        CapturedLogits captured = new();
        using ModelFolder folder = ModelFolder.Open(TestModels.Stories);
        using IModelRunner runner = folder.LoadRunner(new CpuBackend(new CpuOptions { Threads = threads }, captured), new RunnerOptions
        {
            BlockCount = 32,
            MaxTokensPerStep = ids.Length,
            MaxRowsPerStep = ids.Length,
            MaxSequencesPerStep = 1,
        });
        runner.Launch(WholePrompt(ids, runner.Limits));
        runner.Await(new StepResult(ids.Length));

        JsonElement rows = table.GetProperty("logits");
        Assert.Equal(ids.Length, rows.GetArrayLength());
        double worst = 0;
        for (int row = 0; row < ids.Length; row++)
        {
            float[] got = captured.Rows[row];
            int column = 0;
            foreach (JsonElement expected in rows[row].EnumerateArray()) worst = Math.Max(worst, Math.Abs(expected.GetDouble() - got[column++]));
            Assert.Equal(got.Length, column);
        }

        Assert.InRange(worst, 0, 1e-4);
    }

    private static StepPlan WholePrompt(int[] ids, RunnerLimits limits)
    {
        StepPlan plan = new(ids.Length, 1, ids.Length) { StepIndex = 1, TokenCount = ids.Length, SequenceCount = 1, RowCount = ids.Length };
        int[] table = [.. Enumerable.Range(0, limits.BlockCount)];
        plan.Sequences[0] = new StepSequence { TokenCount = ids.Length, BlockTable = table, BlockCount = table.Length };
        for (int i = 0; i < ids.Length; i++)
        {
            plan.TokenIds[i] = ids[i];
            plan.Positions[i] = plan.Slots[i] = i;
            plan.Rows[i] = new LogitsRow { Token = i, Kind = LogitsRowKind.Sample, Position = i + 1 };
        }

        return plan;
    }

    /// <summary>Keeps what it is asked to choose from.</summary>
    private sealed class CapturedLogits : ISampler
    {
        public Dictionary<int, float[]> Rows { get; } = [];

        public void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result)
        {
            lock (Rows) Rows[row.Token] = logits.ToArray();
        }
    }
}
