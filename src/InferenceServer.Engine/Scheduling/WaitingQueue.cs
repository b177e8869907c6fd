using System.Diagnostics;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// Who runs next: the lowest priority number; within it preempted sequences, which have already paid for their prompt,
/// then the least served tenant's earliest request. Owned by the engine thread.
/// </summary>
internal sealed class WaitingQueue(TenantLedger ledger)
{
    private static readonly Comparer<Sequence> Rank = Comparer<Sequence>.Create(Sequence.CompareRank);

    private readonly List<Sequence> _preempted = []; // by rank

    public int Count { get; private set; }

    public void Add(Sequence sequence)
    {
        Debug.Assert(sequence.Status == SequenceStatus.Waiting, "Only what waits is queued.");
        List<Sequence> list = ListOf(sequence);
        int place = list.BinarySearch(sequence, Rank);
        Debug.Assert(place < 0, "A sequence waits once.");
        list.Insert(~place, sequence);
        Count++;
    }

    public void Remove(Sequence sequence)
    {
        List<Sequence> list = ListOf(sequence);
        int place = list.BinarySearch(sequence, Rank);
        Debug.Assert(place >= 0 && ReferenceEquals(list[place], sequence), "What is removed was queued.");
        list.RemoveAt(place);
        Count--;
    }

    /// <summary>The next to be admitted, or null.</summary>
    public Sequence? Peek()
    {
        if (Count == 0) return null;
        Sequence? best = _preempted.Count > 0 ? _preempted[0] : null;
        TenantState? bestTenant = null;
        foreach (TenantState tenant in ledger.Active)
        {
            if (tenant.Waiting.Count > 0 && IsBefore(tenant, bestTenant, best))
            {
                best = tenant.Waiting[0];
                bestTenant = tenant;
            }
        }

        return best;
    }

    /// <summary>Every waiting sequence, in no order.</summary>
    public List<Sequence> Snapshot()
    {
        List<Sequence> all = [.. _preempted];
        foreach (TenantState tenant in ledger.Active) all.AddRange(tenant.Waiting);
        return all;
    }

    private List<Sequence> ListOf(Sequence sequence) => sequence.Preempted ? _preempted : sequence.Request.Tenant!.Waiting;

    private static bool IsBefore(TenantState tenant, TenantState? bestTenant, Sequence? best)
    {
        if (best is null) return true;
        Sequence head = tenant.Waiting[0];
        int order = head.Request.Request.Priority.CompareTo(best.Request.Request.Priority);
        if (order != 0) return order < 0;
        if (bestTenant is null) return false; // the best so far was preempted
        order = tenant.Service.CompareTo(bestTenant.Service);
        return order != 0 ? order < 0 : head.Request.ArrivalOrder < best.Request.ArrivalOrder;
    }
}
