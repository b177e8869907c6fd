using System.Buffers;

namespace InferenceServer.Http;

/// <summary>The x-request-id: the caller's own where it is fit for a log, a fresh one otherwise.</summary>
internal static class RequestIds
{
    public const string Header = "x-request-id";
    private const int MaxLength = 128;

    private static readonly SearchValues<char> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    public static string Choose(string? inbound) =>
        inbound is { Length: > 0 and <= MaxLength } && !inbound.AsSpan().ContainsAnyExcept(Allowed) ? inbound : Guid.CreateVersion7().ToString("N");
}
