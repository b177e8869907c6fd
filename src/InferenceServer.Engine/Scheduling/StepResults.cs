using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// What a step means for its sequences: when launched, computed tokens and others to come; when awaited, scores, chosen tokens, ends.
/// A sequence that ended in between, or at the step before, leaves its rows without a reader. Owned by the engine thread.
/// </summary>
internal sealed class StepResults(SequenceSet set, RequestEnder ender, StepResult result, IEngineObserver? observer)
{
    private const string NoUsableLogits = "The model gave no usable probabilities for this choice's next token; retry, or loosen its token constraints.";
    private const string NoUsableScores = "The model gave no usable probabilities for a prompt token, so the prompt's log-probabilities cannot be reported.";

    /// <summary>The step was launched.</summary>
    public void Expect(StepInFlight step)
    {
        StepPlan plan = step.Plan;
        for (int i = 0; i < plan.SequenceCount; i++) set.Advance(step.Planned[i], plan.Sequences[i].TokenCount);
        for (int row = 0; row < plan.RowCount; row++)
        {
            if (plan.Rows[row].Kind == LogitsRowKind.Sample) step.RowOwners[row].Expect(row);
        }
    }

    /// <summary>The step was awaited.</summary>
    public void Apply(StepInFlight step, long now)
    {
        StepPlan plan = step.Plan;
        int row = 0;
        for (int i = 0; i < plan.SequenceCount; i++)
        {
            Sequence sequence = step.Planned[i];
            for (; row < plan.RowCount && plan.Rows[row].Sequence == i && plan.Rows[row].Kind == LogitsRowKind.Score; row++)
                ApplyScore(sequence, in plan.Rows[row], in result.Rows[row], now);
            if (CompletesPrompt(sequence, in plan.Sequences[i])) CompletePrompt(sequence.Request, now);
            for (; row < plan.RowCount && plan.Rows[row].Sequence == i; row++)
                ApplySample(step.RowOwners[row], in result.Rows[row], now);
        }
    }

    private void ApplyScore(Sequence sequence, in LogitsRow row, in SampleResult found, long now)
    {
        RequestState request = sequence.Request;
        if (found.Failed)
        {
            ender.FinishAll(request, FinishReason.Error, now, NoUsableScores);
            return;
        }

        int alternatives = Math.Min(found.TopCount, request.Request.Sampling.PromptLogprobs!.Value);
        request.PromptScores![row.Position] = new PromptLogprob(row.TargetToken, found.Logprob, CopyTop(in found, alternatives));
        request.PromptTokensScored = row.Position;
    }

    /// <summary>Once a request: whoever computes the prompt's end again, after a preemption, has read a token.</summary>
    private static bool CompletesPrompt(Sequence sequence, in StepSequence part) =>
        part.ComputedTokens + part.TokenCount == sequence.Request.PromptTokens && sequence.CompletionTokens == 0;

    private void CompletePrompt(RequestState request, long now)
    {
        if (request.ChoicesLive == 0) return; // a score failed just now, or it ended while the step was in flight
        if (request.PromptScores is not null)
            request.Stream.Write(new TokenEvent { Kind = TokenEventKind.Prompt, PromptLogprobs = request.PromptScores, Timestamp = now });
        if (request.MaxTokens == 0) ender.FinishAll(request, FinishReason.Length, now);
    }

    private void ApplySample(Sequence sequence, in SampleResult found, long now)
    {
        if (sequence.Status == SequenceStatus.Finished) return;
        if (found.Failed)
        {
            ender.FinishChoice(sequence, FinishReason.Error, now, NoUsableLogits);
            return;
        }

        set.Append(sequence, found.Token);
        Emit(sequence, in found, now);
        RequestState request = sequence.Request;
        if (Array.IndexOf(request.StopTokens, found.Token) >= 0) ender.FinishChoice(sequence, FinishReason.Stop, now);
        else if (sequence.CompletionTokens == request.MaxTokens) ender.FinishChoice(sequence, FinishReason.Length, now);
    }

    private void Emit(Sequence sequence, in SampleResult found, long now)
    {
        RequestState request = sequence.Request;
        SamplingParameters sampling = request.Request.Sampling;
        request.Stream.Write(new TokenEvent
        {
            Kind = TokenEventKind.Token,
            Choice = sequence.Choice,
            Token = found.Token,
            Logprob = sampling.Logprobs ? found.Logprob : 0f,
            TopLogprobs = sampling.Logprobs ? CopyTop(in found, Math.Min(found.TopCount, sampling.TopLogprobs)) : null,
            Timestamp = now,
        });
        observer?.TokenEmitted(sequence.LastTokenTimestamp == 0 ? 0 : now - sequence.LastTokenTimestamp);
        sequence.LastTokenTimestamp = now;
        if (request.Summary.FirstTokenTimestamp == 0) request.Summary.FirstTokenTimestamp = now;
        request.Summary.LastTokenTimestamp = now;
        TenantLedger.Charge(request.Tenant!, 1);
        set.Counters.GeneratedTokens++;
    }

    private static TokenLogprob[]? CopyTop(in SampleResult found, int count) => count > 0 ? found.Top.AsSpan(0, count).ToArray() : null;
}
