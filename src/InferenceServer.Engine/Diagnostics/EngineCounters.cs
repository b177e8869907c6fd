namespace InferenceServer.Engine.Diagnostics;

/// <summary>Totals since start, counted by the engine thread and copied whole for others.</summary>
internal struct EngineCounters
{
    public long Steps;
    public long Preemptions;
    public long PromptTokens;
    public long CachedTokens;
    public long GeneratedTokens;
    public long PrefixQueries;
    public long PrefixHits;
}
