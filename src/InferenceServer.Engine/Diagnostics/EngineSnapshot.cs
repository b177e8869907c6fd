using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Admission;
using InferenceServer.Engine.Blocks;
using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine.Diagnostics;

/// <summary>Everything the engine holds between two steps. An immutable copy; taken by the engine thread, or when it stands still.</summary>
internal sealed class EngineSnapshot
{
    public required int BlockSize { get; init; }

    public required int Seats { get; init; }

    public required int SeatsTaken { get; init; }

    /// <summary>(blocks)</summary>
    public required BlockSnapshot[] Blocks { get; init; }

    /// <summary>Free blocks in the order of their reuse.</summary>
    public required int[] FreeList { get; init; }

    public required int FreeCachedCount { get; init; }

    public required int CachedCount { get; init; }

    /// <summary>Every unfinished sequence of every live request.</summary>
    public required SequenceSnapshot[] Sequences { get; init; }

    /// <summary>Ids (indices into <see cref="Sequences"/>) of the running set, in rank order.</summary>
    public required int[] Running { get; init; }

    /// <summary>Launched and not awaited, oldest first.</summary>
    public required StepSnapshot[] StepsInFlight { get; init; }

    public required int SequencesQueued { get; init; }

    public required GateSnapshot Gate { get; init; }

    public static EngineSnapshot Take(SequenceSet set, Flight flight, AdmissionGate gate)
    {
        List<SequenceSnapshot> sequences = [];
        Dictionary<Sequence, int> ids = new(ReferenceEqualityComparer.Instance);
        foreach (RequestState request in set.Live)
        {
            foreach (Sequence sequence in request.Sequences)
            {
                if (sequence.Status == SequenceStatus.Finished) continue;
                ids.Add(sequence, sequences.Count);
                sequences.Add(SequenceSnapshot.Take(sequence));
            }
        }

        int[] running = new int[set.Running.Count];
        for (int i = 0; i < running.Length; i++) running[i] = ids.GetValueOrDefault(set.Running[i], -1);
        return new EngineSnapshot
        {
            BlockSize = set.Pool.BlockSize,
            Seats = set.Seats,
            SeatsTaken = set.SeatsTaken,
            Blocks = TakeBlocks(set.Pool),
            FreeList = set.Pool.FreeSnapshot(),
            FreeCachedCount = set.Pool.FreeCachedCount,
            CachedCount = set.Pool.Index.Count,
            Sequences = [.. sequences],
            Running = running,
            StepsInFlight = TakeSteps(flight, ids),
            SequencesQueued = set.Waiting.Count,
            Gate = gate.Snapshot(),
        };
    }

    private static StepSnapshot[] TakeSteps(Flight flight, Dictionary<Sequence, int> ids)
    {
        StepSnapshot[] steps = new StepSnapshot[flight.Count];
        for (int i = 0; i < steps.Length; i++)
        {
            StepInFlight step = flight[i];
            int[] rowOwners = new int[step.Plan.RowCount];
            for (int row = 0; row < rowOwners.Length; row++)
                rowOwners[row] = step.Plan.Rows[row].Kind == LogitsRowKind.Sample ? ids.GetValueOrDefault(step.RowOwners[row], -1) : -1;
            int[] planned = new int[step.Plan.SequenceCount];
            for (int index = 0; index < planned.Length; index++) planned[index] = ids.GetValueOrDefault(step.Planned[index], -1);
            long[] requests = [.. step.Planned.Take(planned.Length).Select(sequence => sequence.Request.ArrivalOrder)];
            steps[i] = new StepSnapshot(step.Plan.StepIndex, requests, planned, rowOwners);
        }

        return steps;
    }

    private static BlockSnapshot[] TakeBlocks(BlockPool pool)
    {
        BlockSnapshot[] blocks = new BlockSnapshot[pool.BlockCount];
        for (int block = 0; block < blocks.Length; block++)
        {
            bool cached = pool.Index.Contains(block);
            blocks[block] = new BlockSnapshot(
                pool.References(block),
                pool.Index.EntryOf(block),
                cached ? pool.Index.ParentOf(block) : 0,
                cached ? pool.Index.SaltOf(block) : 0,
                cached ? pool.Index.TokensOf(block).ToArray() : []);
        }

        return blocks;
    }
}

/// <summary>One block: its owners, and its entry in the prefix cache (0: none).</summary>
internal sealed record BlockSnapshot(int References, long Entry, long Parent, ulong Salt, int[] Tokens);

/// <summary>
/// One step in flight: the <c>ArrivalOrder</c> of its sequences' requests, ids of its sequences and of the owners of its rows; -1 for finished ones and for scores.
/// </summary>
internal sealed record StepSnapshot(long StepIndex, long[] Requests, int[] Planned, int[] RowOwners);

/// <summary>One unfinished choice; its request is told apart by <c>ArrivalOrder</c>.</summary>
internal sealed record SequenceSnapshot(
    string RequestId, long ArrivalOrder, int Choice, SequenceStatus Status, int Preemptions, ulong Salt, int Priority, int ChoicesLive,
    bool IsLeader, bool Forked, int MaxTokens, int[] KnownTokens, int PendingTokens, int PendingRow, int ComputedTokens, int[] Table, int PublishedBlocks)
{
    public static SequenceSnapshot Take(Sequence sequence)
    {
        RequestState request = sequence.Request;
        EngineRequest asked = request.Request;
        int[] known = new int[sequence.KnownTokens];
        sequence.CopyTokens(0, known);
        return new SequenceSnapshot(
            request.RequestId, request.ArrivalOrder, sequence.Choice, sequence.Status, request.Summary.Preemptions, asked.CacheSalt, asked.Priority,
            request.ChoicesLive, ReferenceEquals(sequence, request.Leader), request.Forked, request.MaxTokens, known,
            sequence.PendingTokens, sequence.PendingRow, sequence.ComputedTokens, sequence.Table.AsSpan(0, sequence.TableCount).ToArray(), sequence.PublishedBlocks);
    }
}
