using System.Net;
using System.Text;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>Requests that would cost much before they can be refused, against the whole server.</summary>
public class HostileRequestTests
{
    [Theory]
    [InlineData("/v1/completions", """{"prompt":"*"}""")]
    [InlineData("/v1/chat/completions", """{"messages":[{"role":"user","content":"*"}]}""")]
    public async Task A_text_that_cannot_fit_is_refused_before_it_is_tokenized(string path, string body)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        using StringContent huge = new(body.Replace("*", new string('x', 10 << 20), StringComparison.Ordinal), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await server.Http.PostAsync(path, huge, TestContext.Current.CancellationToken);
        string answer = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("context_length_exceeded", answer, StringComparison.Ordinal);
        Assert.Contains("characters", answer, StringComparison.Ordinal);
    }
}
