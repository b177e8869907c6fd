using System.Diagnostics;
using InferenceServer.Engine;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.GpuBench.Model;

/// <summary>
/// The whole engine in this process, without HTTP. Batches grow like a ladder: the sequences of a rung keep decoding while the next ones' prompts
/// are computed, so that every prompt is computed once and not again for each batch.
/// </summary>
internal sealed class EngineBench(InferenceEngine engine, ModelShape shape, ModelSizes sizes, Floor floor, ResultLog log)
{
    private readonly List<BenchRequest> _running = [];

    /// <summary>Time to the first token of one prompt on an idle engine: the fastest of three.</summary>
    public void RunPrompts(TimeBudget budget)
    {
        foreach (int prompt in sizes.Prompts)
        {
            string what = $"{shape.Name}, prompt {prompt}";
            if (budget.Allows(what, log)) log.Try(what, () => MeasurePrompt(prompt));
        }
    }

    /// <summary>Decode at every batch, at the first context.</summary>
    /// <param name="secondsKept">Left to what comes after.</param>
    public void RunLadder(TimeBudget budget, double secondsKept)
    {
        try
        {
            foreach (int batch in sizes.Batches)
            {
                string what = $"{shape.Name}, engine, batch {batch}, context {sizes.Contexts[0]}";
                if (!budget.Allows(what, log, secondsKept) || !log.Try(what, () => MeasureRung(batch, sizes.Contexts[0], budget.SecondsLeft - secondsKept))) break;
            }
        }
        finally
        {
            foreach (BenchRequest request in _running) request.End();
            _running.Clear();
        }
    }

    private void MeasurePrompt(int prompt)
    {
        double best = double.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            long started = Stopwatch.GetTimestamp();
            BenchRequest request = BenchRequest.Submit(engine, $"prompt-{prompt}-{round}", RandomPrompt(prompt, round), maxTokens: 1);
            request.WaitForTokens(1, TimeSpan.FromSeconds(30));
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
            request.End();
        }

        log.WriteOurs("prompt", ("model", shape.Name), ("prompt", prompt), ("first_token_ms", best * 1e3), ("tokens_per_s", prompt / best),
            ("share of floor", floor.Seconds(shape, prompt, prompt) / best));
    }

    private void MeasureRung(int batch, int context, double secondsLeft)
    {
        long started = Stopwatch.GetTimestamp();
        int added = batch - _running.Count;
        TimeSpan patience = TimeSpan.FromSeconds(Math.Max(1, secondsLeft));
        for (int i = 0; i < added; i++)
            _running.Add(BenchRequest.Submit(engine, $"rung-{_running.Count}", RandomPrompt(context, _running.Count), sizes.ContextLength - context - 1));
        foreach (BenchRequest request in _running) request.WaitForTokens(1, patience);
        double prefill = Stopwatch.GetElapsedTime(started).TotalSeconds;
        log.WriteOurs("prefill", ("model", shape.Name), ("batch", added), ("prompt", context), ("tokens_per_s", (double)added * context / prefill));

        // From here every step is a decode of all: the oldest sequence's tokens are its clock.
        BenchRequest oldest = _running[0];
        int from = oldest.Tokens + sizes.WarmSteps, to = from + sizes.TimedSteps;
        oldest.WaitForTokens(to + 1, patience);
        double seconds = oldest.SecondsBetween(from, to) / sizes.TimedSteps;
        long known = _running.Sum(r => (long)context + r.Tokens);
        double least = floor.Seconds(shape, batch, known);
        log.WriteOurs("decode", ("model", shape.Name), ("batch", batch), ("context", context), ("ms_a_step", seconds * 1e3), ("tokens_per_s", batch / seconds),
            ("mean context", known / batch), ("floor ms", least * 1e3), ("share of floor", least / seconds));
    }

    private int[] RandomPrompt(int length, int seed)
    {
        Random random = new(seed * 100003 + length);
        int[] tokens = new int[length];
        for (int i = 0; i < length; i++) tokens[i] = random.Next(shape.Vocabulary);
        return tokens;
    }
}
