using System.Diagnostics;
using System.Globalization;

namespace InferenceServer.Evaluation;

/// <summary>How far a model's predictions are from a reference's, position by position. Sums in double. One owner.</summary>
internal sealed class Divergence
{
    private readonly List<double> _kl = [];
    private long _sameTop;
    private double _change, _referenceNll, _askedNll;

    /// <summary>Predictions compared.</summary>
    public int Positions => _kl.Count;

    /// <summary>KL(reference || asked), nats.</summary>
    public double MeanKl => _kl.Count == 0 ? 0 : _kl.Average();

    public double MaxKl => _kl.Count == 0 ? 0 : _kl.Max();

    /// <summary>Of 100 positions 99 diverge less, nats.</summary>
    public double Kl99 => _kl.Count == 0 ? 0 : _kl.Order().ElementAt((int)Math.Ceiling(0.99 * _kl.Count) - 1);

    /// <summary>The share of positions at which both find the same token most likely.</summary>
    public double TopAgreement => (double)_sameTop / Positions;

    /// <summary>Mean |difference| of the log-probability of the text's own next token, nats.</summary>
    public double MeanChange => _change / Positions;

    public double ReferencePerplexity => Math.Exp(_referenceNll / Positions);

    public double AskedPerplexity => Math.Exp(_askedNll / Positions);

    /// <param name="reference">(vocabulary) Logits.</param>
    /// <param name="asked">(vocabulary) Logits.</param>
    /// <param name="target">The token that follows in the text.</param>
    public void Add(ReadOnlySpan<float> reference, ReadOnlySpan<float> asked, int target)
    {
        Debug.Assert(reference.Length == asked.Length);
        double referenceTotal = LogSumExp(reference), askedTotal = LogSumExp(asked), kl = 0;
        int referenceTop = 0, askedTop = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double logP = reference[i] - referenceTotal, p = Math.Exp(logP);
            if (p > 0) kl += p * (logP - (asked[i] - askedTotal));
            if (reference[i] > reference[referenceTop]) referenceTop = i;
            if (asked[i] > asked[askedTop]) askedTop = i;
        }

        double referenceLogprob = reference[target] - referenceTotal, askedLogprob = asked[target] - askedTotal;
        _kl.Add(Math.Max(0, kl)); // rounding can leave a little less than nothing
        _sameTop += referenceTop == askedTop ? 1 : 0;
        _change += Math.Abs(referenceLogprob - askedLogprob);
        _referenceNll -= referenceLogprob;
        _askedNll -= askedLogprob;
    }

    /// <summary>One figure a line: what, value, unit.</summary>
    public void Write(TextWriter output)
    {
        Line(output, "positions", $"{Positions}");
        Line(output, "mean KL", $"{MeanKl:E3} nats");
        Line(output, "99 % KL", $"{Kl99:E3} nats");
        Line(output, "max KL", $"{MaxKl:E3} nats");
        Line(output, "same top-1", $"{100 * TopAgreement:F3} %");
        Line(output, "mean |dlogprob|", $"{MeanChange:E3} nats, of the text's next token");
        Line(output, "perplexity", $"{AskedPerplexity:F4} (f32 {ReferencePerplexity:F4})");
    }

    private static void Line(TextWriter output, string name, FormattableString value) => output.WriteLine($"{name,-16} {value.ToString(CultureInfo.InvariantCulture)}");

    private static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double largest = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits) largest = Math.Max(largest, logit);
        foreach (float logit in logits) sum += Math.Exp(logit - largest);
        return largest + Math.Log(sum);
    }
}
