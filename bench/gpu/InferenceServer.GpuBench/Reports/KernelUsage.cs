using System.Globalization;
using System.Text.RegularExpressions;

namespace InferenceServer.GpuBench.Reports;

/// <summary>What ptxas says a kernel needs; nvcc -Xptxas -v says the same. Bytes, except registers a thread.</summary>
internal sealed partial record KernelUsage(string Kernel, int Registers, int Stack, int SpillStores, int SpillLoads, int Shared)
{
    /// <summary>
    /// Reads "Compiling entry function 'name' for 'arch'", then "n bytes stack frame, n bytes spill stores, n bytes spill loads", then
    /// "Used n registers, … n bytes smem". A device function's "Function properties" that belong to no entry are passed over.
    /// </summary>
    public static IReadOnlyList<KernelUsage> Parse(IEnumerable<string> lines)
    {
        List<KernelUsage> kernels = [];
        KernelUsage? current = null;
        string? properties = null;
        foreach (string line in lines)
        {
            if (Entry().Match(line) is { Success: true } entry)
            {
                current = new KernelUsage(entry.Groups[1].Value, 0, 0, 0, 0, 0);
                properties = current.Kernel;
            }
            else if (Properties().Match(line) is { Success: true } function)
            {
                properties = function.Groups[1].Value;
            }
            else if (current is not null && properties == current.Kernel && Spills().Match(line) is { Success: true } spills)
            {
                current = current with { Stack = Number(spills, 1), SpillStores = Number(spills, 2), SpillLoads = Number(spills, 3) };
            }
            else if (current is not null && Used().Match(line) is { Success: true } used)
            {
                kernels.Add(current with { Registers = Number(used, 1), Shared = SharedBytes().Match(line) is { Success: true } shared ? Number(shared, 1) : 0 });
                current = null;
            }
        }

        return kernels;
    }

    /// <summary>What a compiler complained of, errors first.</summary>
    public static IReadOnlyList<string> Complaints(IEnumerable<string> lines) =>
        [.. lines.Where(l => Complaint().IsMatch(l)).OrderByDescending(l => Error().IsMatch(l))];

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Compiling entry function '([^']+)'")]
    private static partial Regex Entry();

    [GeneratedRegex(@"Function properties for (\S+)")]
    private static partial Regex Properties();

    [GeneratedRegex(@"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")]
    private static partial Regex Spills();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex Used();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex SharedBytes();

    [GeneratedRegex(@"\b(error|fatal|warning)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Complaint();

    [GeneratedRegex(@"\b(error|fatal)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Error();
}
