using System.Diagnostics;
using System.Text.RegularExpressions;

namespace InferenceServer.Cuda.Tests.Mutations;

/// <summary>Compiles changed copies of native/ as the build compiles the originals.</summary>
internal static partial class KernelCompiler
{
    public const string Arch = "sm_90a";

    private static readonly string Root = FindRoot();
    private static readonly Lazy<string> Clang = new(() => Run("sh", [Path.Combine(Native, "find-clang.sh")]).Trim());

    private static string Native => Path.Combine(Root, "native");

    public static bool IsPresent => Clang.Value.Length > 0;

    /// <summary>The PTX of a family with one mutation in it; its kernels for bf16 only.</summary>
    public static string Compile(Mutation mutation)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("mutation");
        try
        {
            foreach (string file in Directory.EnumerateFiles(Native, "*.cuh").Append(Path.Combine(Native, $"{mutation.Family}.cu")))
            {
                string source = File.ReadAllText(file);
                if (Path.GetFileName(file) == mutation.File) source = Plant(source, mutation);
                File.WriteAllText(Path.Combine(folder.FullName, Path.GetFileName(file)), HalfKernels().Replace(source, ""));
            }

            string ptx = Path.Combine(folder.FullName, "out.ptx");
            Run(Clang.Value, [.. Flags(), "-Wno-unused", $"--cuda-gpu-arch={Arch}", Path.Combine(folder.FullName, $"{mutation.Family}.cu"), "-o", ptx]);
            return File.ReadAllText(ptx);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Plant(string source, Mutation mutation)
    {
        int at = source.IndexOf(mutation.Find, StringComparison.Ordinal);
        Assert.True(at >= 0, $"{mutation.File}, {mutation.Name}: the text to change is not there: {mutation.Find}");
        Assert.True(source.IndexOf(mutation.Find, at + 1, StringComparison.Ordinal) < 0, $"{mutation.File}, {mutation.Name}: the text to change is there twice: {mutation.Find}");
        source = source[..at] + mutation.Replace + source[(at + mutation.Find.Length)..];
        return mutation.Kernels is { } few ? $"{source[..source.IndexOf("\n" + few.FromLine, StringComparison.Ordinal)]}\n{few.Text}\n" : source;
    }

    private static string[] Flags()
    {
        string targets = File.ReadAllText(Path.Combine(Root, "src", "InferenceServer.Cuda", "Kernels.targets"));
        return KernelFlags().Match(targets).Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    private static string Run(string program, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors.Result}");
        return output;
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("no InferenceServer.sln above the tests");
    }

    /// <summary>The entries for f16, up to a macro's backslash: mutations are run in bf16, and half the kernels compile in half the time.</summary>
    [GeneratedRegex(@"^ *KERNEL\([^\n]*_f16[^\n\\]*", RegexOptions.Multiline)]
    private static partial Regex HalfKernels();

    [GeneratedRegex("<KernelFlags>(.*)</KernelFlags>")]
    private static partial Regex KernelFlags();
}
