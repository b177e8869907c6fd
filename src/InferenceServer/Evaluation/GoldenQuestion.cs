using System.Text.Json;
using InferenceServer.Hosting;

namespace InferenceServer.Evaluation;

/// <summary>A question and what a right answer must hold. One JSON line of golden.jsonl.</summary>
/// <param name="Id">Names it in reports.</param>
/// <param name="Kind">fact, smalltalk, arithmetic or json.</param>
/// <param name="Messages">The conversation to answer.</param>
/// <param name="Any">Right if every string of one of these lists occurs in the answer, lower-cased and with white space folded.</param>
/// <param name="Json">With kind json: the answer must be JSON and, if this is set, equal it.</param>
internal sealed record GoldenQuestion(string Id, string Kind, JsonElement Messages, IReadOnlyList<string[]> Any, JsonElement? Json)
{
    public static IReadOnlyList<GoldenQuestion> ReadFile(string path)
    {
        try
        {
            return [.. File.ReadLines(path).Where(line => line.Length > 0).Select(Parse)];
        }
        catch (Exception e) when (e is IOException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new StartupException($"The golden questions in '{path}' cannot be read: {e.Message}", e);
        }
    }

    public bool IsRight(string answer)
    {
        string folded = Fold(answer);
        bool found = Any.Count == 0 || Any.Any(all => all.All(part => folded.Contains(Fold(part), StringComparison.Ordinal)));
        return found && (Kind != "json" || IsRightJson(answer));
    }

    private bool IsRightJson(string answer)
    {
        try
        {
            using JsonDocument parsed = JsonDocument.Parse(answer);
            return Json is not { } expected || JsonElement.DeepEquals(parsed.RootElement, expected);
        }
        catch (JsonException)
        {
            return false; // not JSON is the wrong answer this looks for
        }
    }

    private static string Fold(string text) => string.Join(' ', text.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static GoldenQuestion Parse(string line)
    {
        JsonElement row = JsonDocument.Parse(line).RootElement;
        JsonElement? json = row.TryGetProperty("json", out JsonElement expected) && expected.ValueKind != JsonValueKind.Null ? expected : null;
        string[][] any = row.TryGetProperty("any", out JsonElement lists)
            ? [.. lists.EnumerateArray().Select(list => list.EnumerateArray().Select(part => part.GetString()!).ToArray())]
            : [];
        return new GoldenQuestion(row.GetProperty("id").GetString()!, row.GetProperty("kind").GetString()!, row.GetProperty("messages"), any, json);
    }
}
