using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace InferenceServer.Microbench;

/// <summary>Work per second, from the median and the amount of work that a benchmark case declares. Absent where none does.</summary>
internal sealed class RateColumn(string name, string legend, double unit, Func<BenchmarkCase, double?> workOf) : IColumn
{
    public string Id => nameof(RateColumn) + name;

    public string ColumnName => name;

    public string Legend => legend;

    public bool AlwaysShow => false;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) => summary.BenchmarksCases.Any(one => workOf(one) is not null);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        if (workOf(benchmarkCase) is not { } work || summary[benchmarkCase]?.ResultStatistics is not { } statistics) return "-";
        return (work / (statistics.Median * 1e-9) / unit).ToString("N1", CultureInfo.InvariantCulture);
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);
}
