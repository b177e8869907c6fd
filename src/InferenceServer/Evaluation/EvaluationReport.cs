using System.Globalization;

namespace InferenceServer.Evaluation;

/// <summary>The share of golden questions answered right, by kind.</summary>
internal sealed class EvaluationReport(IReadOnlyList<GoldenAnswer> answers)
{
    public double Share => answers.Count == 0 ? 0 : (double)answers.Count(a => a.IsRight) / answers.Count;

    public void Write(TextWriter output, bool showWrong)
    {
        foreach (GoldenAnswer wrong in answers.Where(a => showWrong && !a.IsRight))
        {
            output.WriteLine($"wrong {wrong.Question.Id}: {wrong.Question.Messages[wrong.Question.Messages.GetArrayLength() - 1].GetProperty("content").GetString()}");
            output.WriteLine($"      {wrong.Answer.ReplaceLineEndings(" ")}");
        }

        foreach (IGrouping<string, GoldenAnswer> kind in answers.GroupBy(a => a.Question.Kind).OrderBy(g => g.Key, StringComparer.Ordinal))
            WriteLine(output, kind.Key, kind.Count(a => a.IsRight), kind.Count());
        WriteLine(output, "all", answers.Count(a => a.IsRight), answers.Count);
    }

    private static void WriteLine(TextWriter output, string name, int right, int total) =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-12} {right,4} of {total,4} right  {(total == 0 ? 0 : 100.0 * right / total),6:F1} %"));
}
