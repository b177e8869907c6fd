using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine.Diagnostics;

/// <summary>
/// All the rules that hold between two steps, in one place. Linear in blocks and tokens: cheap enough for every step of a test.
/// To add one: a method that adds a sentence to <c>broken</c>, called from <see cref="Check(EngineSnapshot, EngineSnapshot?)"/>.
/// </summary>
internal static class EngineInvariants
{
    /// <summary>The rules that do not hold, a sentence each; empty when all is well.</summary>
    /// <param name="now">To be judged.</param>
    /// <param name="before">An earlier snapshot, to see what may not change between steps; null: unknown.</param>
    public static List<string> Check(EngineSnapshot now, EngineSnapshot? before = null)
    {
        List<string> broken = [];
        CheckReferences(now, broken);
        CheckFreeList(now, broken);
        CheckCache(now, broken);
        foreach (SequenceSnapshot sequence in now.Sequences) CheckSequence(now, sequence, broken);
        CheckWritable(now, broken);
        CheckRunning(now, broken);
        CheckWaiting(now, broken);
        CheckInFlight(now, broken);
        if (before is not null) CheckTablesOnlyGrow(now, before, broken);
        return broken;
    }

    /// <summary>A block's reference count is the number of tables it stands in.</summary>
    private static void CheckReferences(EngineSnapshot now, List<string> broken)
    {
        int[] owners = new int[now.Blocks.Length];
        foreach (SequenceSnapshot sequence in now.Sequences)
        {
            foreach (int block in sequence.Table) owners[block]++;
        }

        for (int block = 0; block < owners.Length; block++)
        {
            if (now.Blocks[block].References != owners[block])
                broken.Add($"Block {block} counts {now.Blocks[block].References} references but stands in {owners[block]} tables.");
        }
    }

    /// <summary>Free + used = total, and free is exactly what nobody holds.</summary>
    private static void CheckFreeList(EngineSnapshot now, List<string> broken)
    {
        bool[] free = new bool[now.Blocks.Length];
        int freeCached = 0;
        foreach (int block in now.FreeList)
        {
            if (free[block]) broken.Add($"Block {block} is in the free list twice.");
            free[block] = true;
            if (now.Blocks[block].Entry != 0) freeCached++;
        }

        for (int block = 0; block < free.Length; block++)
        {
            if (free[block] != (now.Blocks[block].References == 0))
                broken.Add($"Block {block} with {now.Blocks[block].References} references is {(free[block] ? "" : "not ")}in the free list.");
        }

        if (freeCached != now.FreeCachedCount) broken.Add($"{freeCached} free blocks are cached, but {now.FreeCachedCount} are counted.");
    }

    /// <summary>One entry a block, one block a key.</summary>
    private static void CheckCache(EngineSnapshot now, List<string> broken)
    {
        HashSet<long> entries = [];
        HashSet<(ulong, long, ulong)> keys = [];
        foreach (BlockSnapshot block in now.Blocks)
        {
            if (block.Entry == 0) continue;
            if (!entries.Add(block.Entry)) broken.Add($"Entry {block.Entry} of the prefix cache names two blocks.");
            if (block.Parent >= block.Entry) broken.Add($"Entry {block.Entry} hangs on the later entry {block.Parent}.");
            if (!keys.Add((block.Salt, block.Parent, Digest(block.Tokens))))
                broken.Add($"Two blocks are cached for the same tokens after entry {block.Parent}.");
        }

        if (entries.Count != now.CachedCount) broken.Add($"{entries.Count} blocks are cached, but {now.CachedCount} are counted.");
    }

    private static void CheckSequence(EngineSnapshot now, SequenceSnapshot sequence, List<string> broken)
    {
        string name = $"Sequence {sequence.RequestId}/{sequence.Choice} ({sequence.Status})";
        int blocks = (sequence.ComputedTokens + now.BlockSize - 1) / now.BlockSize;
        int known = sequence.KnownTokens.Length, chosen = known + sequence.PendingTokens;
        bool endsInFlight = sequence.MaxTokens == 0 && now.StepsInFlight.Any(step => step.Requests.Contains(sequence.ArrivalOrder)); // asked for no token
        if (sequence.ComputedTokens > known || (sequence.ComputedTokens >= chosen && !endsInFlight))
            broken.Add($"{name} has computed {sequence.ComputedTokens} of {known} known tokens and {sequence.PendingTokens} in flight; the last must still be to do.");
        if (sequence.Table.Length != blocks)
            broken.Add($"{name} holds {sequence.Table.Length} blocks for {sequence.ComputedTokens} computed tokens.");
        if (sequence.PublishedBlocks != sequence.ComputedTokens / now.BlockSize)
            broken.Add($"{name} has published {sequence.PublishedBlocks} blocks of {sequence.ComputedTokens} computed tokens.");
        if (sequence.Status != SequenceStatus.Running && sequence.Table.Length > 0)
            broken.Add($"{name} holds blocks though it does not run.");
        if (sequence.Status == SequenceStatus.Pending && (sequence.IsLeader || sequence.Forked))
            broken.Add($"{name} waits for a fork that has happened.");
        for (int i = 0; i < sequence.Table.Length; i++)
        {
            BlockSnapshot block = now.Blocks[sequence.Table[i]];
            if (block.Entry == 0) continue;
            if (i >= sequence.PublishedBlocks)
                broken.Add($"{name} may still write into block {sequence.Table[i]}, which others can find.");
            else if (block.Salt != sequence.Salt || !block.Tokens.AsSpan().SequenceEqual(sequence.KnownTokens.AsSpan(i * now.BlockSize, now.BlockSize)))
                broken.Add($"{name} stands on block {sequence.Table[i]}, cached for other tokens or another salt.");
        }
    }

    /// <summary>A block that is not full stands in two tables only between a fork and the first write, which copies it: all have computed alike.</summary>
    private static void CheckWritable(EngineSnapshot now, List<string> broken)
    {
        Dictionary<int, SequenceSnapshot> lastBlocks = [];
        foreach (SequenceSnapshot sequence in now.Sequences)
        {
            if (sequence.ComputedTokens % now.BlockSize == 0) continue;
            int block = sequence.Table[^1];
            if (lastBlocks.TryAdd(block, sequence)) continue;
            SequenceSnapshot other = lastBlocks[block];
            if (other.ArrivalOrder != sequence.ArrivalOrder || other.ComputedTokens != sequence.ComputedTokens)
                broken.Add($"Block {block} is writable by {other.RequestId}/{other.Choice} and {sequence.RequestId}/{sequence.Choice}.");
        }
    }

    private static void CheckRunning(EngineSnapshot now, List<string> broken)
    {
        int seats = 0;
        for (int i = 0; i < now.Running.Length; i++)
        {
            if (now.Running[i] < 0)
            {
                broken.Add($"Place {i} of the running set is held by a finished sequence.");
                continue;
            }

            SequenceSnapshot sequence = now.Sequences[now.Running[i]];
            if (sequence.Status != SequenceStatus.Running) broken.Add($"Place {i} of the running set is {sequence.Status}.");
            seats += sequence.Forked ? 1 : sequence.ChoicesLive;
            if (i == 0 || now.Running[i - 1] < 0) continue;
            SequenceSnapshot above = now.Sequences[now.Running[i - 1]];
            if (Rank(above).CompareTo(Rank(sequence)) >= 0) broken.Add($"Places {i - 1} and {i} of the running set are out of rank.");
        }

        int running = now.Sequences.Count(sequence => sequence.Status == SequenceStatus.Running);
        if (running != now.Running.Length) broken.Add($"{running} sequences run, but the running set has {now.Running.Length}.");
        if (seats != now.SeatsTaken || seats > now.Seats) broken.Add($"{seats} seats are taken of {now.Seats}, but {now.SeatsTaken} are counted.");
    }

    private static void CheckWaiting(EngineSnapshot now, List<string> broken)
    {
        SequenceSnapshot[] waiting = [.. now.Sequences.Where(sequence => sequence.Status == SequenceStatus.Waiting)];
        int requests = waiting.Select(sequence => sequence.ArrivalOrder).Distinct().Count();
        long tokens = waiting.Sum(sequence => (long)sequence.KnownTokens.Length);
        int live = now.Sequences.Select(sequence => sequence.ArrivalOrder).Distinct().Count();
        if (waiting.Length != now.SequencesQueued) broken.Add($"{waiting.Length} sequences wait, but {now.SequencesQueued} are queued.");
        // The gate also counts what was accepted but not yet taken by the engine thread.
        if (requests > now.Gate.RequestsWaiting || tokens > now.Gate.TokensWaiting || live > now.Gate.RequestsLive)
            broken.Add($"{requests} requests with {tokens} tokens wait and {live} live, but the gate counts {now.Gate}.");
    }

    /// <summary>
    /// Between two turns a token in flight is one that the newest step chooses, for a running sequence; a plan finds it there by its row.
    /// </summary>
    private static void CheckInFlight(EngineSnapshot now, List<string> broken)
    {
        int[] pending = new int[now.Sequences.Length];
        foreach (int owner in now.StepsInFlight.SelectMany(step => step.RowOwners))
        {
            if (owner >= 0) pending[owner]++;
        }

        for (int id = 0; id < pending.Length; id++)
        {
            SequenceSnapshot sequence = now.Sequences[id];
            string name = $"Sequence {sequence.RequestId}/{sequence.Choice} ({sequence.Status})";
            if (sequence.PendingTokens != pending[id] || pending[id] > 1)
                broken.Add($"{name} expects {sequence.PendingTokens} tokens, but has {pending[id]} rows in flight.");
            else if (pending[id] == 1 && now.StepsInFlight[^1].RowOwners.ElementAtOrDefault(sequence.PendingRow) != id)
                broken.Add($"{name} expects its token from row {sequence.PendingRow} of the newest step, which is another's.");
            if (sequence.Status != SequenceStatus.Running && (pending[id] > 0 || now.StepsInFlight.Any(step => step.Planned.Contains(id))))
                broken.Add($"{name} is in flight though it does not run.");
        }
    }

    /// <summary>Between two preemptions, full blocks keep their place and no computed token is lost.</summary>
    private static void CheckTablesOnlyGrow(EngineSnapshot now, EngineSnapshot before, List<string> broken)
    {
        Dictionary<(long, int), SequenceSnapshot> earlier = [];
        foreach (SequenceSnapshot sequence in before.Sequences) earlier[(sequence.ArrivalOrder, sequence.Choice)] = sequence;
        foreach (SequenceSnapshot sequence in now.Sequences)
        {
            if (!earlier.TryGetValue((sequence.ArrivalOrder, sequence.Choice), out SequenceSnapshot? old)) continue;
            string name = $"Sequence {sequence.RequestId}/{sequence.Choice}";
            if (!sequence.KnownTokens.AsSpan().StartsWith(old.KnownTokens)) broken.Add($"{name} no longer knows what it knew.");
            if (sequence.Preemptions != old.Preemptions || sequence.Status != old.Status || sequence.IsLeader != old.IsLeader) continue;
            int full = old.ComputedTokens / now.BlockSize;
            if (sequence.ComputedTokens < old.ComputedTokens || !sequence.Table.AsSpan().StartsWith(old.Table.AsSpan(0, full)))
                broken.Add($"{name} lost computed tokens, or a full block in its table changed, without a preemption.");
        }
    }

    /// <summary>FNV-1a; 64 bits make a false alarm a matter of centuries.</summary>
    private static ulong Digest(int[] tokens)
    {
        ulong digest = 14695981039346656037;
        foreach (int token in tokens) digest = (digest ^ (uint)token) * 1099511628211;
        return digest;
    }

    private static (int, long, int) Rank(SequenceSnapshot sequence) => (sequence.Priority, sequence.ArrivalOrder, sequence.Choice);
}
