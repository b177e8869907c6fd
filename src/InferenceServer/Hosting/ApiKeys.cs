using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Hosting;

/// <summary>
/// The keys that may ask, kept as SHA-256 hashes only. A key is compared against every hash in constant time, so that neither its
/// length nor its place in the list can be timed. Immutable and thread-safe.
/// </summary>
internal sealed class ApiKeys
{
    private static readonly RequestRejected Missing = new(RejectionKind.Unauthenticated, "invalid_api_key", null,
        "No API key was given. Send it as 'Authorization: Bearer KEY'.");

    private static readonly RequestRejected Wrong = new(RejectionKind.Unauthenticated, "invalid_api_key", null, "The API key is not valid here.");

    private readonly (byte[] Hash, Caller Caller)[] _keys;

    public ApiKeys(IEnumerable<string> keys) => _keys = [.. keys.Select(key => Hash(key)).Select(hash => (hash, ToCaller(hash)))];

    /// <summary>Without keys everybody is <see cref="Caller.Anonymous"/>, and the server listens on loopback only.</summary>
    public bool Required => _keys.Length > 0;

    /// <param name="authorization">The value of the Authorization header or gRPC metadata; null when absent.</param>
    public (Caller? Caller, RequestRejected? Rejection) Authenticate(string? authorization)
    {
        if (!Required) return (Caller.Anonymous, null);
        if (authorization is null) return (null, Missing);
        const string Scheme = "Bearer ";
        string key = authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? authorization[Scheme.Length..].Trim() : authorization.Trim();
        if (key.Length == 0) return (null, Missing);

        byte[] hash = Hash(key);
        Caller? found = null;
        foreach ((byte[] known, Caller caller) in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(known, hash)) found = caller;
        }

        return found is null ? (null, Wrong) : (found, null);
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    // The tenant is named by a second hash, so that logs cannot be matched against a list of known key hashes.
    private static Caller ToCaller(byte[] hash)
    {
        byte[] name = SHA256.HashData([.. "tenant:"u8, .. hash]);
        return new Caller("key-" + Convert.ToHexStringLower(name.AsSpan(0, 4)), BinaryPrimitives.ReadUInt64LittleEndian(name.AsSpan(8)) | 1);
    }
}
