using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Hosting;

namespace InferenceServer.Tests.Hosting;

public class ApiKeysTests
{
    [Fact]
    public void Without_keys_everybody_is_anonymous()
    {
        ApiKeys keys = new([]);
        Assert.False(keys.Required);
        Assert.Same(Caller.Anonymous, keys.Authenticate(null).Caller);
        Assert.Same(Caller.Anonymous, keys.Authenticate("Bearer whatever").Caller);
    }

    [Theory]
    [InlineData("Bearer correct-key-1", true)]
    [InlineData("bearer correct-key-1", true)]
    [InlineData("Bearer   correct-key-2 ", true)]
    [InlineData("correct-key-2", true)]
    [InlineData("Bearer correct-key-3", false)]
    [InlineData("Bearer correct-key-1x", false)]
    [InlineData("Bearer ", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void Only_known_keys_pass(string? header, bool passes)
    {
        (Caller? caller, RequestRejected? rejection) = new ApiKeys(["correct-key-1", "correct-key-2"]).Authenticate(header);
        Assert.Equal(passes, caller is not null);
        Assert.Equal(passes, rejection is null);
        if (rejection is null) return;
        Assert.Equal(RejectionKind.Unauthenticated, rejection.Kind);
        Assert.DoesNotContain("correct", rejection.Message, StringComparison.Ordinal); // a key is never echoed
    }

    [Fact]
    public void Each_key_is_a_tenant_of_its_own_that_does_not_tell_the_key()
    {
        ApiKeys keys = new(["correct-key-1", "correct-key-2"]);
        Caller one = keys.Authenticate("Bearer correct-key-1").Caller!, two = keys.Authenticate("Bearer correct-key-2").Caller!;
        Assert.NotEqual(one.Tenant, two.Tenant);
        Assert.NotEqual(one.CacheSalt, two.CacheSalt);
        Assert.NotEqual(Caller.Anonymous.CacheSalt, one.CacheSalt);
        Assert.DoesNotContain("correct", one.Tenant, StringComparison.Ordinal);
    }
}
