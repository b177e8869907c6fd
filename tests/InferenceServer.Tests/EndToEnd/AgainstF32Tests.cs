using System.Globalization;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>eval --against f32, as its user runs it: what each format costs, and sentences for what cannot be compared.</summary>
public sealed class AgainstF32Tests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("against-f32-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Fewer_bits_diverge_more_and_f32_not_at_all()
    {
        string goldens = await SomeGoldensAsync();
        Dictionary<string, double> kl = [];
        foreach (string weights in new[] { "f32", "bf16", "q8", "q4" })
        {
            (int exitCode, string output) = await ServerProcess.RunAsync($"eval --against f32 --goldens {goldens} --weights {weights}");
            Assert.Equal(0, exitCode);
            kl[weights] = Figure(output, "mean KL");
            Assert.InRange(Figure(output, "positions"), 500, 5000);
            Assert.InRange(Figure(output, "same top-1"), weights == "f32" ? 100 : weights == "q4" ? 80 : 98, 100);
            Assert.InRange(Figure(output, "max KL"), Figure(output, "99 % KL"), double.MaxValue);
        }

        Assert.Equal(0, kl["f32"]);
        Assert.InRange(kl["bf16"], 0, 1e-4); // the weights are stored so; what is left is the rounding of activations, where the machine has such kernels
        Assert.InRange(kl["q8"], 1e-6, 1e-3);
        Assert.InRange(kl["q4"], 10 * kl["q8"], 1e-1);
    }

    [Fact]
    public async Task A_bound_decides_the_exit_code()
    {
        string goldens = await SomeGoldensAsync();
        (int exitCode, string output) = await ServerProcess.RunAsync($"eval --against f32 --goldens {goldens} --weights q4 --max-kl 1e-4");
        Assert.Equal(1, exitCode);
        Assert.Contains("--max-kl allows 1.000E-004", output, StringComparison.Ordinal);
        Assert.Equal(0, (await ServerProcess.RunAsync($"eval --against f32 --goldens {goldens} --weights q4 --max-kl 1")).ExitCode);
    }

    [Fact]
    public async Task Keys_and_values_in_bytes_are_part_of_what_is_measured()
    {
        (int exitCode, string output) = await ServerProcess.RunAsync($"eval --against f32 --goldens {await SomeGoldensAsync()} --weights f32 --kv-type q8");
        Assert.Equal(0, exitCode);
        Assert.InRange(Figure(output, "mean KL"), 1e-8, 1e-3);
    }

    [Fact]
    public async Task A_model_without_questions_is_compared_over_a_text_or_a_built_in_one()
    {
        string stories = TestModels.SharedData("tiny-models/stories260K/derived/stories260K-f32.gguf"), text = Path.Combine(_folder, "text.txt");
        (int exitCode, string output) = await ServerProcess.RunAsync($"eval --against f32 --model {stories} --weights q8");
        Assert.Equal(0, exitCode);
        Assert.InRange(Figure(output, "mean KL"), 1e-6, 5e-3);

        await File.WriteAllTextAsync(text, string.Concat(Enumerable.Repeat("Once upon a time there was a little dog who liked to play in the park. ", 60)), TestContext.Current.CancellationToken);
        (exitCode, output) = await ServerProcess.RunAsync($"eval --against f32 --model {stories} --weights q8 --text {text}");
        Assert.Equal(0, exitCode);
        Assert.Equal(0, Figure(output, "positions") % 255); // half of each window of 512, less the last token
    }

    [Fact]
    public async Task The_same_weights_in_another_file_may_be_the_reference()
    {
        string folder = TestModels.Stories, gguf = TestModels.SharedData("tiny-models/stories260K/derived/stories260K-f32.gguf");
        (int exitCode, string output) = await ServerProcess.RunAsync($"eval --against f32 --model {gguf} --reference {folder}");
        Assert.Equal(0, exitCode);
        Assert.Equal(0, Figure(output, "mean KL"));
        (exitCode, output) = await ServerProcess.RunAsync($"eval --against f32 --model {gguf} --reference demo");
        Assert.Equal(2, exitCode);
        Assert.Contains("512 tokens and 'demo' 2048", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--against bf16", "--against is 'bf16'")]
    [InlineData("--max-kl 1", "add --against f32")]
    [InlineData("--against f32 --text /no/such/file", "--text '/no/such/file' cannot be read")]
    [InlineData("--against f32 --device cuda", "use --device cpu")]
    public async Task What_cannot_be_compared_is_a_sentence(string arguments, string part)
    {
        (int exitCode, string output) = await ServerProcess.RunAsync("eval " + arguments);
        Assert.Equal(2, exitCode);
        Assert.Contains(part, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_shorter_than_a_window_is_a_sentence()
    {
        string text = Path.Combine(_folder, "short.txt");
        await File.WriteAllTextAsync(text, "Too short.", TestContext.Current.CancellationToken);
        (int exitCode, string output) = await ServerProcess.RunAsync($"eval --against f32 --text {text}");
        Assert.Equal(2, exitCode);
        Assert.Contains("at least 512 are needed", output, StringComparison.Ordinal);
    }

    /// <summary>Every thirtieth of the demo model's own.</summary>
    private async Task<string> SomeGoldensAsync()
    {
        string path = Path.Combine(_folder, "some.jsonl");
        await File.WriteAllLinesAsync(path, File.ReadLines(Path.Combine(TestModels.Demo, "golden.jsonl")).Where((_, i) => i % 30 == 0), TestContext.Current.CancellationToken);
        return path;
    }

    private static double Figure(string output, string name)
    {
        string line = output.Split('\n').Single(l => l.StartsWith(name + " ", StringComparison.Ordinal));
        return double.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
