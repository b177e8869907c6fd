namespace InferenceServer.Generation;

/// <summary>Who asks, as established by authentication. Holds no secret.</summary>
/// <param name="Tenant">Unit of fairness; "anonymous" where no key is configured.</param>
/// <param name="CacheSalt">Keeps this tenant's cached prefixes apart from others'.</param>
internal sealed record Caller(string Tenant, ulong CacheSalt)
{
    public static readonly Caller Anonymous = new("anonymous", 0);
}
