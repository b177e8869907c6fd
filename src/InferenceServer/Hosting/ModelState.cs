using InferenceServer.Core.Requests;

namespace InferenceServer.Hosting;

/// <summary>Where the served model stands; swapped as one, so that nobody sees half of a change. Immutable.</summary>
internal sealed record ModelState
{
    /// <summary>Null while loading, between a fault and the next engine, and after a failure.</summary>
    public ServedModel? Ready { get; init; }

    /// <summary>Why it will not be ready any more, as a sentence.</summary>
    public string? Failure { get; init; }

    /// <summary>Why it is being loaded again, as a sentence.</summary>
    public string? Outage { get; init; }

    /// <summary>When to ask again.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Engines that were started in place of a broken one.</summary>
    public long RestartsTotal { get; init; }

    /// <summary>The totals of the engines before this one.</summary>
    public EngineStatus Past { get; init; } = new();

    /// <summary>Totals since the process started, so that counters never fall; null before the first engine.</summary>
    public EngineStatus? Totals => Ready is { } ready ? Sum(Past, ready.Engine.Status) : Outage is null && Failure is null ? null : Past;

    public ModelState WithReady(ServedModel model) =>
        this with { Ready = model, Outage = null, Failure = null, RestartsTotal = RestartsTotal + (Outage is null ? 0 : 1) };

    public ModelState WithOutage(string sentence, TimeSpan retryAfter) =>
        this with { Ready = null, Outage = sentence, RetryAfter = retryAfter, Past = Totals ?? Past };

    public ModelState WithFailure(string sentence) => this with { Ready = null, Outage = null, Failure = sentence, RetryAfter = TimeSpan.FromSeconds(30), Past = Totals ?? Past };

    private static EngineStatus Sum(EngineStatus past, EngineStatus now) => now with
    {
        StepsTotal = past.StepsTotal + now.StepsTotal,
        PreemptionsTotal = past.PreemptionsTotal + now.PreemptionsTotal,
        PromptTokensTotal = past.PromptTokensTotal + now.PromptTokensTotal,
        CachedTokensTotal = past.CachedTokensTotal + now.CachedTokensTotal,
        GeneratedTokensTotal = past.GeneratedTokensTotal + now.GeneratedTokensTotal,
        PrefixQueriesTotal = past.PrefixQueriesTotal + now.PrefixQueriesTotal,
        PrefixHitsTotal = past.PrefixHitsTotal + now.PrefixHitsTotal,
    };
}
