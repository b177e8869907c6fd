using System.Diagnostics;

namespace InferenceServer.Engine.Scheduling;

/// <summary>One tenant's service so far and its requests that still wait. Owned by the engine thread.</summary>
internal sealed class TenantState(string name)
{
    public string Name { get; } = name;

    /// <summary>As stated by its latest request.</summary>
    public double Weight { get; set; } = 1;

    /// <summary>Tokens of service divided by weight, comparable between tenants.</summary>
    public double Service { get; set; }

    /// <summary>Accepted and not finished.</summary>
    public int RequestsLive { get; set; }

    /// <summary>Never admitted yet, by rank.</summary>
    public List<Sequence> Waiting { get; } = [];
}

/// <summary>
/// Weighted fairness: the virtual token counter of Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024).
/// Service is charged where it is given: a prompt at admission, each generated token as it comes; work repeated after a preemption
/// is the server's own cost. A tenant that comes back from idleness starts no lower than the least served active one, so that
/// nobody saves up. Owned by the engine thread.
/// </summary>
internal sealed class TenantLedger
{
    /// <summary>What a cached prompt token costs beside a computed one; providers bill cached input at about a tenth.</summary>
    public const double CachedTokenCost = 0.1;

    private const int TenantsRemembered = 4096; // past this, idle tenants are forgotten: bounded memory under invented names

    private readonly Dictionary<string, TenantState> _tenants = new(StringComparer.Ordinal);

    /// <summary>Tenants with live requests, in no order.</summary>
    public List<TenantState> Active { get; } = [];

    public int TenantsKnown => _tenants.Count;

    public TenantState Arrive(string name, double weight)
    {
        if (!_tenants.TryGetValue(name, out TenantState? tenant))
        {
            if (_tenants.Count >= TenantsRemembered) ForgetIdle();
            _tenants.Add(name, tenant = new TenantState(name));
        }

        if (tenant.RequestsLive++ == 0)
        {
            if (Active.Count > 0) tenant.Service = Math.Max(tenant.Service, LeastService());
            Active.Add(tenant);
        }

        tenant.Weight = weight;
        return tenant;
    }

    public void Leave(TenantState tenant)
    {
        Debug.Assert(tenant.RequestsLive > 0, "Who leaves has arrived.");
        if (--tenant.RequestsLive == 0) Active.Remove(tenant);
    }

    public static void Charge(TenantState tenant, double tokens) => tenant.Service += tokens / tenant.Weight;

    private double LeastService()
    {
        double least = double.PositiveInfinity;
        foreach (TenantState tenant in Active) least = Math.Min(least, tenant.Service);
        return least;
    }

    private void ForgetIdle()
    {
        foreach (TenantState tenant in _tenants.Values)
        {
            if (tenant.RequestsLive == 0) _tenants.Remove(tenant.Name); // removal while enumerating is allowed
        }
    }
}
