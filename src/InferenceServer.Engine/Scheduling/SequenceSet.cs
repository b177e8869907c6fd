using System.Diagnostics;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Admission;
using InferenceServer.Engine.Blocks;
using InferenceServer.Engine.Diagnostics;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// Every live request, which of its sequences run or wait, and the blocks they hold: the moves between these states, no policy.
/// Owned by the engine thread.
/// </summary>
/// <remarks>
/// Forks: all choices share every block of the prompt by reference once it is computed. Whoever writes into a shared, partly filled block
/// copies it first; the source is held until the step is planned, so that within one step no copy's source is another's destination
/// and copies may run in any order.
/// Steps in flight: a block may be given to somebody else while steps that read or write it (a finished sequence's, or the copy of a source)
/// are still in flight, because the new owner's first write belongs to a step that is launched later, and steps run in the order of their launch.
/// What a finished sequence had in flight so lands in blocks that were still its own.
/// </remarks>
internal sealed class SequenceSet
{
    private readonly AdmissionGate _gate;
    private readonly int[] _blockTokens; // (blockSize) scratch
    private readonly int[] _heldSources;
    private int _heldCount;
    private bool _anyFinished;

    public SequenceSet(BlockPool pool, AdmissionGate gate, int seats)
    {
        Pool = pool;
        Seats = seats;
        _gate = gate;
        _blockTokens = new int[pool.BlockSize];
        _heldSources = new int[seats];
        Running = new List<Sequence>(seats);
        Waiting = new WaitingQueue(Ledger);
    }

    public EngineCounters Counters;

    public BlockPool Pool { get; }

    public TenantLedger Ledger { get; } = new();

    public WaitingQueue Waiting { get; }

    /// <summary>By rank.</summary>
    public List<Sequence> Running { get; }

    /// <summary>Accepted and not finished, in no order.</summary>
    public List<RequestState> Live { get; } = [];

    /// <summary>Sequences that may run at once.</summary>
    public int Seats { get; }

    /// <summary>Running ones, and choices that will be forked from them.</summary>
    public int SeatsTaken { get; private set; }

    public void Arrive(RequestState request)
    {
        request.LiveIndex = Live.Count;
        Live.Add(request);
        request.Tenant = Ledger.Arrive(request.Request.Tenant, request.Request.TenantWeight);
        Waiting.Add(request.Leader);
    }

    /// <summary>Moves a waiting sequence to the running set, on whatever prefix is cached, if seats and blocks suffice for all it knows.</summary>
    /// <param name="sequence">Waiting.</param>
    /// <param name="blocksPromised">Free blocks that running sequences still need for what they know.</param>
    public bool TryAdmit(Sequence sequence, int blocksPromised)
    {
        if (SeatsTaken + SeatsOf(sequence) > Seats) return false;
        int blocksFree = Pool.FreeCount - blocksPromised;
        if (Running.Count > 0 && blocksFree <= sequence.BlocksFreeAtRefusal) return false; // spares the look-up until something was freed
        int hits = FindPrefix(sequence, out long entry, out int hitsFree);
        if (Pool.BlocksFor(sequence.KnownTokens) - hits + hitsFree > blocksFree)
        {
            Debug.Assert(Running.Count > 0, "Whatever was accepted fits the empty pool.");
            sequence.BlocksFreeAtRefusal = blocksFree;
            return false;
        }

        for (int i = 0; i < hits; i++) Pool.Retain(sequence.Table[i]);
        sequence.TableCount = sequence.PublishedBlocks = hits;
        sequence.PrefixEntry = entry;
        sequence.ComputedTokens = hits * Pool.BlockSize;
        StartRunning(sequence);
        return true;
    }

    /// <summary>
    /// Makes room for a sequence's next tokens, preempting from the end of the running set; copies a shared block that would be written.
    /// False when the sequence was itself the last and had to go.
    /// </summary>
    public bool TryReserve(Sequence sequence, int tokens, StepPlan plan)
    {
        while (Pool.FreeCount < BlocksLacking(sequence, tokens))
        {
            Sequence last = Running[^1];
            Debug.Assert(last.PendingTokens == 0, "Nobody is sent back while a token of his is in flight.");
            Preempt(last);
            if (ReferenceEquals(last, sequence)) return false;
        }

        if (WritesShared(sequence)) CopyLastBlock(sequence, plan);
        int tableCount = Pool.BlocksFor(sequence.ComputedTokens + tokens);
        while (sequence.TableCount < tableCount) sequence.Table[sequence.TableCount++] = Pool.Allocate();
        return true;
    }

    /// <summary>Blocks to be allocated before a sequence can compute its next tokens.</summary>
    public int BlocksLacking(Sequence sequence, int tokens) =>
        Pool.BlocksFor(sequence.ComputedTokens + tokens) - sequence.TableCount + (WritesShared(sequence) ? 1 : 0);

    /// <summary>A step was launched: records computed tokens, and the fork where they complete a prompt.</summary>
    public void Advance(Sequence sequence, int tokens)
    {
        sequence.ComputedTokens += tokens;
        Debug.Assert(sequence.ComputedTokens <= sequence.KnownTokens + sequence.PendingTokens, "Nothing is computed that nobody chooses.");
        Publish(sequence);
        if (!sequence.Request.Forked && sequence.Gap == 0) Fork(sequence.Request);
    }

    /// <summary>A step was awaited: records the token that it chose.</summary>
    public void Append(Sequence sequence, int token)
    {
        sequence.Append(token);
        Publish(sequence);
    }

    /// <summary>Takes a sequence out of wherever it is. Its blocks go back at the next <see cref="Sweep"/>.</summary>
    public void Finish(Sequence sequence)
    {
        switch (sequence.Status)
        {
            case SequenceStatus.Waiting:
                Waiting.Remove(sequence);
                _gate.StopWaiting(sequence);
                break;
            case SequenceStatus.Pending:
                if (sequence.Request.Leader.Status == SequenceStatus.Running) SeatsTaken--;
                break;
            default:
                Debug.Assert(sequence.Status == SequenceStatus.Running, "A sequence finishes once.");
                SeatsTaken--;
                _anyFinished = true;
                break;
        }

        sequence.Status = SequenceStatus.Finished;
    }

    /// <summary>All choices have finished.</summary>
    public void Depart(RequestState request)
    {
        Ledger.Leave(request.Tenant!);
        RequestState moved = Live[^1];
        Live[request.LiveIndex] = moved;
        moved.LiveIndex = request.LiveIndex;
        Live.RemoveAt(Live.Count - 1);
        _gate.Leave();
    }

    /// <summary>Takes back the blocks of finished sequences and the sources of the step's copies. Never between plan and launch.</summary>
    public void Sweep()
    {
        while (_heldCount > 0) Pool.Release(_heldSources[--_heldCount]);
        if (!_anyFinished) return;
        _anyFinished = false;
        int kept = 0;
        for (int i = 0; i < Running.Count; i++)
        {
            Sequence sequence = Running[i];
            if (sequence.Status == SequenceStatus.Running) Running[kept++] = sequence;
            else ReleaseBlocks(sequence);
        }

        Running.RemoveRange(kept, Running.Count - kept);
    }

    /// <summary>Offers full blocks to the prefix cache: computed, or launched to be, and of tokens that are all known.</summary>
    private void Publish(Sequence sequence)
    {
        int full = Math.Min(sequence.ComputedTokens, sequence.KnownTokens) / Pool.BlockSize;
        while (sequence.PublishedBlocks < full)
        {
            int index = sequence.PublishedBlocks++;
            sequence.CopyTokens(index * Pool.BlockSize, _blockTokens);
            sequence.PrefixEntry = Pool.Publish(sequence.Table[index], sequence.Request.Request.CacheSalt, sequence.PrefixEntry, _blockTokens);
        }
    }

    /// <summary>The prompt is computed: every live choice gets its own table over the leader's blocks.</summary>
    private void Fork(RequestState request)
    {
        request.Forked = true;
        Sequence leader = request.Leader;
        foreach (Sequence sequence in request.Sequences)
        {
            if (sequence.Status != SequenceStatus.Pending) continue;
            Array.Copy(leader.Table, sequence.Table, leader.TableCount);
            for (int i = 0; i < leader.TableCount; i++) Pool.Retain(leader.Table[i]);
            sequence.TableCount = leader.TableCount;
            sequence.PublishedBlocks = leader.PublishedBlocks;
            sequence.PrefixEntry = leader.PrefixEntry;
            sequence.ComputedTokens = leader.ComputedTokens;
            sequence.Status = SequenceStatus.Running;
            InsertRunning(sequence);
        }
    }

    private static int SeatsOf(Sequence sequence) => sequence.Request.Forked ? 1 : sequence.Request.ChoicesLive;

    private int FindPrefix(Sequence sequence, out long entry, out int hitsFree)
    {
        entry = PrefixIndex.Root;
        hitsFree = 0;
        // The last known token is always computed anew: its logits are what the next one is chosen from.
        int most = Math.Min(sequence.KnownTokens - 1, sequence.Request.CacheableTokens) / Pool.BlockSize;
        for (int i = 0; i < most; i++)
        {
            sequence.CopyTokens(i * Pool.BlockSize, _blockTokens);
            int block = Pool.Find(sequence.Request.Request.CacheSalt, entry, _blockTokens);
            if (block < 0) return i;
            entry = Pool.Index.EntryOf(block);
            sequence.Table[i] = block;
            if (Pool.References(block) == 0) hitsFree++;
        }

        return most;
    }

    private void StartRunning(Sequence sequence)
    {
        Waiting.Remove(sequence);
        _gate.StopWaiting(sequence);
        sequence.Status = SequenceStatus.Running;
        sequence.BlocksFreeAtRefusal = -1;
        SeatsTaken += SeatsOf(sequence);
        InsertRunning(sequence);
        if (!sequence.Request.Admitted) CountAdmission(sequence);
    }

    /// <summary>Once a request: a retry or a resumption is not another use of the cache.</summary>
    private void CountAdmission(Sequence sequence)
    {
        RequestState request = sequence.Request;
        request.Admitted = true;
        int cached = sequence.ComputedTokens;
        request.Summary.CachedTokens = cached;
        Counters.PromptTokens += request.PromptTokens;
        Counters.CachedTokens += cached;
        Counters.PrefixHits += cached;
        if (request.CacheableTokens > 0 && Pool.CachesPrefixes) Counters.PrefixQueries += request.PromptTokens;
        TenantLedger.Charge(request.Tenant!, request.PromptTokens - cached + cached * TenantLedger.CachedTokenCost);
    }

    private void InsertRunning(Sequence sequence)
    {
        int place = Running.Count;
        while (place > 0 && Sequence.CompareRank(Running[place - 1], sequence) > 0) place--;
        Running.Insert(place, sequence);
    }

    private void Preempt(Sequence last)
    {
        Running.RemoveAt(Running.Count - 1);
        SeatsTaken -= SeatsOf(last);
        ReleaseBlocks(last);
        last.Status = SequenceStatus.Waiting;
        last.Preempted = true;
        last.Request.Summary.Preemptions++;
        Counters.Preemptions++;
        Waiting.Add(last);
        _gate.StartWaiting(last);
    }

    private void ReleaseBlocks(Sequence sequence)
    {
        Pool.ReleaseTable(sequence.Table.AsSpan(0, sequence.TableCount));
        sequence.TableCount = sequence.ComputedTokens = sequence.PublishedBlocks = 0;
        sequence.PrefixEntry = PrefixIndex.Root;
    }

    private bool WritesShared(Sequence sequence) =>
        sequence.ComputedTokens % Pool.BlockSize != 0 && Pool.References(sequence.Table[sequence.TableCount - 1]) > 1;

    private void CopyLastBlock(Sequence sequence, StepPlan plan)
    {
        ref int last = ref sequence.Table[sequence.TableCount - 1];
        int copy = Pool.Allocate();
        plan.Copies[plan.CopyCount++] = new BlockCopy(last, copy);
        _heldSources[_heldCount++] = last;
        last = copy;
    }
}
