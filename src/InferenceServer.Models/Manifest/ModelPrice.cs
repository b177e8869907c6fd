namespace InferenceServer.Models.Manifest;

/// <summary>What a million tokens cost, in units of <paramref name="Currency"/> (ISO 4217).</summary>
public sealed record ModelPrice(
    string Currency, decimal InputPerMillionTokens, decimal CachedInputPerMillionTokens, decimal OutputPerMillionTokens);
