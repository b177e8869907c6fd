using InferenceServer.Core.Requests;
using InferenceServer.Engine.Admission;
using InferenceServer.Engine.Blocks;
using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine.Diagnostics;

/// <summary>
/// Where the engine thread leaves its numbers after each step, without allocating, for whoever asks. Thread-safe;
/// the lock is held for one copy.
/// </summary>
internal sealed class StatusBoard(AdmissionGate gate, BlockPool pool)
{
    private readonly Lock _lock = new();
    private EngineCounters _counters;
    private int _sequencesRunning;
    private int _blocksFree = pool.BlockCount;
    private int _blocksCached;

    public void Publish(SequenceSet set)
    {
        lock (_lock)
        {
            _counters = set.Counters;
            _sequencesRunning = set.Running.Count;
            _blocksFree = pool.FreeCount;
            _blocksCached = pool.FreeCachedCount;
        }
    }

    public EngineStatus Read()
    {
        GateSnapshot waiting = gate.Snapshot();
        lock (_lock)
        {
            return new EngineStatus
            {
                Healthy = waiting.Fault is null,
                Fault = waiting.Fault,
                Draining = waiting.Draining,
                SequencesRunning = _sequencesRunning,
                RequestsWaiting = waiting.RequestsWaiting,
                TokensWaiting = waiting.TokensWaiting,
                BlocksTotal = pool.BlockCount,
                BlocksUsed = pool.BlockCount - _blocksFree,
                BlocksCached = _blocksCached,
                BlockSize = pool.BlockSize,
                StepsTotal = _counters.Steps,
                PreemptionsTotal = _counters.Preemptions,
                PromptTokensTotal = _counters.PromptTokens,
                CachedTokensTotal = _counters.CachedTokens,
                GeneratedTokensTotal = _counters.GeneratedTokens,
                PrefixQueriesTotal = _counters.PrefixQueries,
                PrefixHitsTotal = _counters.PrefixHits,
            };
        }
    }
}
