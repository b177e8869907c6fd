namespace InferenceServer.Tests.EndToEnd;

/// <summary>Where the models that tests run are.</summary>
internal static class TestModels
{
    public static string Root { get; } = FindRoot();

    /// <summary>The built-in model; always here.</summary>
    public static string Demo { get; } = Path.Combine(Root, "models-manifest", "demo");

    /// <summary>A trained model of 260,000 parameters in F32; skips the test where the shared data is absent.</summary>
    public static string Stories => SharedData("tiny-models/stories260K/derived/hf");

    /// <summary>The same weights in BF16.</summary>
    public static string StoriesBf16 => SharedData("tiny-models/stories260K/derived/hf-bf16");

    public static string SharedData(string path)
    {
        string full = Path.GetFullPath(Path.Combine(Root, "..", "shared", "data", path));
        Assert.SkipUnless(Path.Exists(full), $"The shared test data is not here: '{full}' is missing.");
        return full;
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("InferenceServer.sln is in no folder above the tests.");
    }
}
