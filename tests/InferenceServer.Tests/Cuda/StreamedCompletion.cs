using System.Text;
using System.Text.Json;

namespace InferenceServer.Tests.Cuda;

/// <summary>What /v1/completions streamed: each token's text, its log-probability and how far it was ahead of the next best.</summary>
internal sealed record StreamedCompletion(string[] Tokens, double[] Logprobs, double[] Margins)
{
    public static async Task<StreamedCompletion> AskAsync(HttpClient http, string prompt, int tokens, string sampling = "\"temperature\":0")
    {
        string body = $$"""{"prompt":{{JsonSerializer.Serialize(prompt)}},"max_tokens":{{tokens}},"ignore_eos":true,"stream":true,"logprobs":2,{{sampling}}}""";
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        List<string> names = [];
        List<double> logprobs = [], margins = [];
        foreach (string data in text.Split("\n\n").Where(e => e.StartsWith("data: {", StringComparison.Ordinal)))
        {
            JsonElement choices = JsonDocument.Parse(data["data: ".Length..]).RootElement.GetProperty("choices");
            if (choices.GetArrayLength() == 0 || choices[0].GetProperty("logprobs") is not { ValueKind: JsonValueKind.Object } found) continue;
            names.AddRange(found.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()!));
            logprobs.AddRange(found.GetProperty("token_logprobs").EnumerateArray().Select(p => p.GetDouble()));
            margins.AddRange(found.GetProperty("top_logprobs").EnumerateArray().Select(Margin));
        }

        Assert.Equal(tokens, names.Count);
        return new StreamedCompletion([.. names], [.. logprobs], [.. margins]);
    }

    private static double Margin(JsonElement top)
    {
        double[] best = [.. top.EnumerateObject().Select(p => p.Value.GetDouble()).OrderDescending()];
        return best.Length < 2 ? double.PositiveInfinity : best[0] - best[1];
    }
}
