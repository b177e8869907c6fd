using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Cache;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Tests;

/// <summary>Repacked weights on the disk: the same products bit for bit, no tensor read again, and nothing believed that a damaged file says.</summary>
public sealed class WeightCacheTests : IDisposable
{
    private const int Columns = 256, Rows = 40;

    private readonly string _folder = Directory.CreateTempSubdirectory("weight-cache-").FullName;

    public static TheoryData<string> Damages => new("magic", "key", "index", "section", "last section", "half", "head only", "ten bytes", "empty", "lying offset", "lying length", "unaligned", "lying name");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(WeightPrecision.AsStored)]
    [InlineData(WeightPrecision.F32)]
    [InlineData(WeightPrecision.Q4)]
    public void A_second_load_reads_no_tensor_and_computes_the_same(WeightPrecision weights)
    {
        Loaded plain = Load(null, weights), first = Load("a", weights), second = Load("a", weights, unreadable: true);
        Assert.Null(plain.Report);
        Assert.Equal((0L, true), (first.Report!.BytesFound, first.Report.Written));
        Assert.Equal((first.Report.BytesRepacked, 0L, false), (second.Report!.BytesFound, second.Report.BytesRepacked, second.Report.Written));
        Assert.Empty(first.Report.Troubles.Concat(second.Report.Troubles));
        AssertSame(plain, first);
        AssertSame(plain, second);
    }

    [Fact]
    public void Other_weights_precisions_and_layouts_have_files_of_their_own()
    {
        HashSet<string> paths = [Load("a").Report!.Path, Load("b").Report!.Path, Load("a", WeightPrecision.Q8).Report!.Path, Load("a", WeightPrecision.F32).Report!.Path];
        Assert.Equal(4, paths.Count);
        foreach (InstructionSet set in Enum.GetValues<InstructionSet>().Where(KernelTable.IsSupported))
            Assert.Equal(KernelTable.For(set).Layouts != KernelTable.For(KernelTable.Best).Layouts, !paths.Contains(Load("a", set: set).Report!.Path));
    }

    [Fact]
    public void A_models_name_may_be_anything()
    {
        string path = Load("a", name: "../..//bad\0name é" + new string('x', 300)).Report!.Path;
        Assert.Equal(_folder, Path.GetDirectoryName(path));
        Assert.True(File.Exists(path));
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_damaged_file_is_made_anew_with_a_sentence(string damage)
    {
        Loaded first = Load("a");
        byte[] whole = File.ReadAllBytes(first.Report!.Path);
        File.WriteAllBytes(first.Report.Path, Damaged(whole, damage));
        Loaded second = Load("a"), third = Load("a", unreadable: true);
        string trouble = Assert.Single(second.Report!.Troubles);
        Assert.Contains(first.Report.Path, trouble, StringComparison.Ordinal);
        Assert.EndsWith("it is made anew.", trouble, StringComparison.Ordinal);
        Assert.True(second.Report.Written);
        Assert.Equal(0, third.Report!.BytesRepacked);
        AssertSame(first, second);
        AssertSame(first, third);
        Assert.Equal(whole, File.ReadAllBytes(first.Report.Path));
    }

    /// <summary>Whatever byte is another, in the header all of them, elsewhere some: the products are right.</summary>
    [Fact]
    public void No_other_byte_reaches_a_product()
    {
        Loaded first = Load("a");
        byte[] whole = File.ReadAllBytes(first.Report!.Path);
        Random random = new(5);
        for (int round = 0; round < 150; round++)
        {
            byte[] other = [.. whole];
            int at = round < 100 ? round : random.Next(whole.Length);
            other[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(first.Report.Path, other);
            AssertSame(first, Load("a"));
        }
    }

    [Fact]
    public void A_file_that_lacks_a_matrix_is_completed()
    {
        Load("a", count: 2);
        Loaded whole = Load("a"), again = Load("a", unreadable: true);
        Assert.True(whole.Report!.BytesFound > 0 && whole.Report.BytesRepacked > 0 && whole.Report.Written);
        Assert.Contains("lacks", Assert.Single(whole.Report.Troubles), StringComparison.Ordinal);
        Assert.Equal(0, again.Report!.BytesRepacked);
        AssertSame(whole, again);
    }

    [Fact]
    public async Task Writers_at_once_leave_one_whole_file()
    {
        Loaded[] all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Load("a"))));
        Assert.All(all, a => Assert.Empty(a.Report!.Troubles));
        Assert.Equal([all[0].Report!.Path], Directory.EnumerateFileSystemEntries(_folder));
        Loaded last = Load("a", unreadable: true);
        Assert.All(all, a => AssertSame(last, a));
    }

    [Fact]
    public void A_folder_that_cannot_be_used_costs_a_sentence()
    {
        string file = Path.Combine(_folder, "a-file");
        File.WriteAllText(file, "not a folder");
        foreach (string folder in new[] { file, Path.Combine(file, "below") })
        {
            Loaded loaded = Load("a", folder: folder);
            Assert.False(loaded.Report!.Written);
            Assert.Contains("cannot be written", Assert.Single(loaded.Report.Troubles), StringComparison.Ordinal);
            AssertSame(Load(null), loaded);
        }
    }

    [Fact]
    public void What_a_killed_server_left_is_removed_by_a_later_one()
    {
        string old = Path.Combine(_folder, "m.weights.1.unfinished"), young = Path.Combine(_folder, "m.weights.2.unfinished");
        File.WriteAllText(old, "");
        File.WriteAllText(young, "");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-1));
        Load("a");
        Assert.Equal((false, true), (File.Exists(old), File.Exists(young)));
    }

    private static byte[] Damaged(byte[] whole, string damage)
    {
        byte[] file = [.. whole];
        int indexBytes = (int)BitConverter.ToInt64(file, 8), head = WeightCacheFormat.HeaderBytes + indexBytes;
        switch (damage)
        {
            case "magic": file[3] ^= 1; return file;
            case "key": file[20] ^= 1; return file;
            case "index": file[head - 20] ^= 1; return file;
            case "section": file[WeightCacheFormat.PageBytes + 100] ^= 1; return file;
            case "last section": file[^(WeightCacheFormat.PageBytes * 2)] ^= 1; return file;
            case "half": return file[..(file.Length / 2)];
            case "head only": return file[..head];
            case "ten bytes": return file[..10];
            case "empty": return [];
        }

        // An index with a right hash that lies.
        SectionEntry[] entries = [.. WeightCacheFormat.Read(file[..head], file.Length, out _)!.Values];
        SectionEntry last = entries[^1];
        entries[^1] = damage switch
        {
            "lying length" => last with { Bytes = long.MaxValue / 64 * 64 },
            "lying name" => last with { Name = last.Name + "x" },
            _ => last,
        };
        if (damage == "lying length") return Forged(file, entries, damage);
        (byte[] forged, _) = WeightCacheFormat.Head(file.AsSpan(16, WeightCacheFormat.KeyBytes), entries);
        forged.CopyTo(file, 0);
        return damage == "lying name" ? file : Forged(file, entries, damage);
    }

    /// <summary>Writes the last entry's offset or length over the index and hashes it again.</summary>
    private static byte[] Forged(byte[] file, SectionEntry[] entries, string damage)
    {
        int head = WeightCacheFormat.HeaderBytes + (int)BitConverter.ToInt64(file, 8);
        int offsetAt = head - 20; // offset, length, checksum of the last entry
        if (damage == "lying offset") BitConverter.TryWriteBytes(file.AsSpan(offsetAt), entries[^1].Offset + (1L << 40));
        if (damage == "unaligned") BitConverter.TryWriteBytes(file.AsSpan(offsetAt), BitConverter.ToInt64(file, offsetAt) - 4);
        if (damage == "lying length") BitConverter.TryWriteBytes(file.AsSpan(offsetAt + 8), entries[^1].Bytes);
        byte[] hash = System.Security.Cryptography.SHA256.HashData([.. file[..48], .. file[WeightCacheFormat.HeaderBytes..head]]);
        hash.CopyTo(file, 48);
        return file;
    }

    /// <summary>Loads the same five matrices, one of them stacked of several types, and multiplies them with the same input.</summary>
    private Loaded Load(
        string? hash, WeightPrecision weights = WeightPrecision.AsStored, InstructionSet? set = null, string? folder = null, string name = "model", int count = 5, bool unreadable = false)
    {
        CpuOptions options = new() { Threads = 2, Weights = weights, WeightCache = hash is null ? null : new WeightCacheOptions(folder ?? _folder, name, hash) };
        using CpuBackend backend = new(options, new NoSampler(), set ?? KernelTable.Best, minParallelWork: 0);
        Random random = new(11);
        HostTensor Tensor(string tensor, ElementType type, int rows = Rows)
        {
            HostTensor made = type.IsQuantized() ? new BlockTensor(random, type, rows, Columns, tensor) : new MemoryTensor(type, rows, Columns, Samples.Floats(random, rows * Columns), tensor);
            return unreadable ? new UnreadableTensor(made) : made;
        }

        HostTensor[][] stacks =
        [
            [Tensor("embedding", ElementType.BF16)],
            [Tensor("q", ElementType.Q4K, 32), Tensor("k", ElementType.Q4K, 16), Tensor("v", ElementType.Q6K, 16)],
            [Tensor("down", ElementType.F32)],
            [Tensor("gate", ElementType.F16), Tensor("up", ElementType.F16)],
            [Tensor("head", ElementType.Q8)],
        ];
        Matrix[] matrices = [.. stacks.Take(count).Select(s => backend.LoadMatrix(MatrixUse.Layer, s))];
        WeightCacheReport? report = backend.CompleteWeights();
        Activation input = backend.Fill([Samples.Floats(new Random(12), Columns)]);
        List<float[]> products = [];
        foreach (Matrix matrix in matrices)
        {
            Activation output = backend.AllocateActivation(1, matrix.Rows);
            backend.Project(input, matrix, null, output);
            products.Add(backend.ReadRow(output, 0).ToArray());
        }

        return new Loaded(report, [.. products]);
    }

    private static void AssertSame(Loaded expected, Loaded found)
    {
        Assert.Equal(expected.Products.Length, found.Products.Length);
        for (int i = 0; i < expected.Products.Length; i++)
            Assert.Equal(expected.Products[i].Select(BitConverter.SingleToUInt32Bits), found.Products[i].Select(BitConverter.SingleToUInt32Bits));
    }

    private sealed record Loaded(WeightCacheReport? Report, float[][] Products);

    /// <summary>Fails the test that reads it.</summary>
    private sealed class UnreadableTensor(HostTensor like) : HostTensor(like.Name, like.Type, like.Shape)
    {
        public override ReadOnlySpan<byte> Row(long row) => throw new InvalidOperationException($"{Name} was read.");
    }

    private sealed class NoSampler : Core.Stepping.ISampler
    {
        public void Sample(Span<float> logits, in Core.Stepping.LogitsRow row, ref Core.Stepping.SampleResult result) => result.Token = 0;
    }
}
