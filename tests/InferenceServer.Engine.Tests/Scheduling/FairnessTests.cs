using InferenceServer.Engine.Scheduling;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

public class FairnessTests
{
    [Fact]
    public void Backlogged_tenants_are_served_in_the_ratio_of_their_weights()
    {
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 200, sequences: 4));
        List<Received> light = Flood(harness, "light", weight: 1, count: 120, firstToken: 500);
        List<Received> heavy = Flood(harness, "heavy", weight: 3, count: 120);
        harness.Step(300);
        double ratio = (double)Served(heavy) / Served(light);
        Assert.True(Served(light) > 100 && heavy.Any(stream => !stream.Finished), "Both must still be backlogged for the ratio to mean something.");
        Assert.InRange(ratio, 2.6, 3.4);
    }

    [Fact]
    public void A_tenant_that_asks_little_does_not_wait_behind_one_that_asks_much()
    {
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 200, sequences: 2));
        List<Received> flood = Flood(harness, "flood", weight: 1, count: 200);
        harness.Step(40);
        Received small = harness.Accept(EngineHarness.Request("small", maxTokens: 4) with { Tenant = "small" });
        harness.Step(16); // at most one running request of the flood has to end first
        small.Read();
        Assert.True(small.Finished);
        Assert.Contains(flood, stream => !stream.Finished);
    }

    [Fact]
    public void Idle_time_is_not_saved_up()
    {
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 200, sequences: 4));
        harness.Finish(harness.Accept(EngineHarness.Request("early", maxTokens: 1) with { Tenant = "sleeper" }));
        List<Received> busy = Flood(harness, "busy", weight: 1, count: 300);
        harness.Step(300); // the sleeper's counter stays far behind meanwhile
        int before = Served(busy);
        List<Received> sleeper = Flood(harness, "sleeper", weight: 1, count: 300, firstToken: 500);
        harness.Step(300);
        Assert.InRange((double)(Served(busy) - before) / Served(sleeper), 0.75, 1.35);
    }

    [Fact]
    public void Lower_priority_numbers_run_first_whoever_asks()
    {
        using EngineHarness harness = new(EngineHarness.Limits(sequences: 1));
        Received first = harness.Accept(EngineHarness.Request("first"));
        Received late = harness.Accept(EngineHarness.Request("late") with { Priority = 1 });
        Received urgent = harness.Accept(EngineHarness.Request("urgent") with { Priority = -1, Tenant = "other" });
        harness.Finish(first, late, urgent);
        Assert.True(urgent.Summary!.ScheduledTimestamp < first.Summary!.ScheduledTimestamp);
        Assert.True(first.Summary.ScheduledTimestamp < late.Summary!.ScheduledTimestamp);
    }

    [Fact]
    public void A_large_request_is_not_passed_over_for_ever_by_small_ones()
    {
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 16, blockSize: 4, context: 64, sequences: 4));
        List<Received> small = [.. Enumerable.Range(0, 20).Select(i => harness.Accept(EngineHarness.Request($"s{i}", prompt: 8, maxTokens: 4, firstToken: i * 20)))];
        Received large = harness.Accept(EngineHarness.Request("large", prompt: 56, maxTokens: 4, firstToken: 500));
        List<Received> later = [.. Enumerable.Range(0, 20).Select(i => harness.Accept(EngineHarness.Request($"l{i}", prompt: 8, maxTokens: 4, firstToken: i * 20)))];
        harness.Finish([.. small, large, .. later]);
        Assert.All(later, stream => Assert.True(stream.Summary!.ScheduledTimestamp >= large.Summary!.ScheduledTimestamp));
    }

    [Fact]
    public void The_ledger_forgets_idle_tenants_when_names_are_invented()
    {
        TenantLedger ledger = new();
        TenantState stays = ledger.Arrive("stays", 1);
        TenantLedger.Charge(stays, 10);
        for (int i = 0; i < 10_000; i++) ledger.Leave(ledger.Arrive($"invented {i}", 1));
        Assert.Same(stays, ledger.Arrive("stays", 1));
        Assert.Single(ledger.Active);
        Assert.Equal(10, ledger.Arrive("new", 1).Service); // lifted to the least served active tenant
        Assert.True(ledger.TenantsKnown <= 4096);
    }

    /// <summary>Distinct prompts, so that no cached prefix makes one tenant cheaper than the other.</summary>
    private static List<Received> Flood(EngineHarness harness, string tenant, double weight, int count, int firstToken = 1) =>
    [
        .. Enumerable.Range(0, count).Select(i => harness.Accept(
            EngineHarness.Request($"{tenant}{i}", prompt: 8, maxTokens: 8, firstToken: firstToken + i) with { Tenant = tenant, TenantWeight = weight })),
    ];

    private static int Served(List<Received> streams)
    {
        foreach (Received stream in streams) stream.Read();
        return streams.Sum(stream => stream.TokensTotal);
    }
}
