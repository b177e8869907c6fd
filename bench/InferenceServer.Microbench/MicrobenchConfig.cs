using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using InferenceServer.Microbench.Kernels;
using Perfolizer.Horology;

namespace InferenceServer.Microbench;

/// <summary>
/// Short and in this process: a class takes less than a minute, and nothing is generated or restored. The medians are good to a few per cent
/// on an idle machine; on a busy one, compare runs that were taken side by side.
/// </summary>
internal sealed class MicrobenchConfig : ManualConfig
{
    public MicrobenchConfig()
    {
        AddJob(Job.Default
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithIterationTime(TimeInterval.FromMilliseconds(100))
            .WithWarmupCount(4)
            .WithIterationCount(9));
        AddDiagnoser(MemoryDiagnoser.Default);
        AddLogger(ConsoleLogger.Default);
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddColumn(StatisticColumn.Min, StatisticColumn.Median);
        AddColumn(new RateColumn("MB/s", "Megabytes (1e6) of UTF-8 text a second, by the median.", 1e6, TokenizerBench.BytesOf));
        AddColumn(new RateColumn("GB/s", "Gigabytes (1e9) of weights, or of keys and values, read a second, by the median.", 1e9, KernelWork.BytesOf));
        AddColumn(new RateColumn("GFLOP/s", "Billions of multiplications and additions a second, by the median.", 1e9, KernelWork.FlopsOf));
        HideColumns(Column.Error, Column.StdDev, Column.Mean, Column.RatioSD, Column.Gen0, Column.Gen1, Column.Gen2);
    }
}
