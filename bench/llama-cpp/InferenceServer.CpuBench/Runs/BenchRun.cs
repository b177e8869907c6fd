using System.Text.Json;
using System.Text.Json.Serialization;

namespace InferenceServer.CpuBench.Runs;

/// <summary>One measured process, as a line of the file of runs. Immutable.</summary>
internal sealed record BenchRun
{
    public const string Ours = "ours", Theirs = "theirs";

    private static readonly JsonSerializerOptions OneLine = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public required string Side { get; init; }

    public required string Format { get; init; }

    public required string Case { get; init; }

    /// <summary>What mattered on its command line.</summary>
    public required string Flags { get; init; }

    public required double TokensPerSecond { get; init; }

    /// <summary>Bytes of matrices that a decode step reads. Null on the other side.</summary>
    public long? WeightBytesRead { get; init; }

    /// <summary>What a plain read of memory reached just before and after this run, bytes a second: shared machines drift by a third.</summary>
    public double? ReadBytesPerSecond { get; init; }

    public double? LoadSeconds { get; init; }

    public long? WeightBytes { get; init; }

    public long? KvBytes { get; init; }

    /// <summary>Resident after the run.</summary>
    public long? SteadyBytes { get; init; }

    public long? PeakBytes { get; init; }

    /// <summary>Through HTTP, as callers saw it.</summary>
    public double? TtftP95Ms { get; init; }

    /// <summary>Likewise: between tokens of a stream.</summary>
    public double? ItlP99Ms { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, OneLine);

    /// <exception cref="BenchException">The line is no run.</exception>
    public static BenchRun Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<BenchRun>(line, OneLine) ?? throw new BenchException("A line of the file of runs is null.");
        }
        catch (JsonException e)
        {
            throw new BenchException($"A line is no run of this bench ({e.Message}): {line}");
        }
    }
}
